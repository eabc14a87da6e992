# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which inventory is the estate's own, and which are its neighbours."""

from __future__ import annotations

from ansible_collections.retailerp.estate.plugins.plugin_utils import specification


def inventory(folder, name, estate=None):
    place = folder / name
    (place / "group_vars").mkdir(parents=True)
    if estate:
        (place / "group_vars" / "all.yml").write_text(f"estate_spec: {{id: {estate}}}\n")
    return place


def test_a_tools_own_inventory_is_no_neighbour(tmp_path):
    """Molecule gives an inventory of its own before the scenario's."""
    tools = inventory(tmp_path / "cache", "inventory")
    own = inventory(tmp_path / "scenario", "inventory", "solo")
    assert specification.directories([str(tools), str(own)]) == [own, tools]
    assert specification.neighbours(specification.directories([str(tools), str(own)])) == {}


def test_estates_beside_and_estates_of_the_same_run_are_neighbours(tmp_path):
    first, second = inventory(tmp_path, "first", "one"), inventory(tmp_path, "second", "two")
    elsewhere = inventory(tmp_path / "far", "third", "three")
    found = specification.neighbours(specification.directories([str(elsewhere), str(first)]))
    assert sorted(spec["id"] for spec in found.values()) == ["three", "two"]
    assert second.parent == first.parent
