# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the same name do not take each other's place in the kit, and are named where they will lie."""

from __future__ import annotations

import yaml

from ansible_collections.retailerp.estate.plugins.lookup.recovery_kit import written


def test_roots_of_one_name_are_files_of_their_own(tmp_path):
    for place in ("edge", "store", "sites"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "ca.pem").write_text(f"roots of {place}\n")
    edge, store, sites = (str(tmp_path / place / "ca.pem") for place in ("edge", "store", "sites"))
    places = [{"type": "posix", "path": "/srv/backup"}, {"type": "s3", "ca_file": store}]
    spec = {"id": "shop", "ca_file": edge, "backup": {"repositories": places}}
    kit = written(spec, sites, {"db": {"db1": {}}})
    estate = yaml.safe_load(kit["files"]["group_vars/all/estate.yml"])
    said = [
        estate["estate_spec"]["ca_file"],
        estate["estate_spec"]["backup"]["repositories"][1]["ca_file"],
        estate["estate_sites_ca_file"],
    ]
    assert [kit["files"][path] for path in said] == [f"roots of {place}\n" for place in ("edge", "store", "sites")]
    assert estate["estate_spec"]["backup"]["repositories"][0] == places[0]


def test_an_estate_without_roots_and_backups_has_two_files():
    kit = written({"id": "shop"}, None, {"edge": {"one": {"estate_cpus": 4}}, "db": {"one": {}}})
    assert sorted(kit["files"]) == ["group_vars/all/estate.yml", "hosts.yml"]
    assert kit["hosts"] == ["one"]
