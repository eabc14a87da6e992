# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A standby leaves the pair, the estate lives without it, and a new one takes its place."""

from __future__ import annotations

import shutil

import pytest
import yaml

from ansible_collections.retailerp.estate.tests.members import DATA, VERSION, Members, Pair

pytestmark = pytest.mark.drill

STARTED = "SELECT pg_postmaster_start_time()"


@pytest.fixture
def pair(lab, waiting):
    """The pair under durability strict; as the estate's file says afterwards."""
    if len(lab.group("db")) != 2:
        pytest.skip("one database host: no standby")
    found = Pair(lab, waiting)
    found.play("data")
    yield found
    lab.playbook("data")


@pytest.fixture
def without(lab):
    """Call it with a host: the lab by an inventory that does not know the host; that inventory is gone afterwards."""
    folder = lab.inventory.with_name("lab-without-a-host")

    def lab_without(host):
        shutil.copytree(lab.inventory, folder)
        hosts = yaml.safe_load((folder / "hosts.yml").read_text())
        for group in hosts["all"]["children"].values():
            (group.get("hosts") or {}).pop(host, None)
        (folder / "hosts.yml").write_text(yaml.safe_dump(hosts))
        return type(lab)(folder)

    yield lab_without
    shutil.rmtree(folder, ignore_errors=True)


def test_a_standby_goes_for_good_and_another_takes_its_place(pair, lab, without):
    primary = pair.primary()
    standby, started = pair.standby(primary), pair.sql(primary, STARTED)
    leave = ("remove_standby", f"member={standby}", pair.confirm)
    refused = pair.play(*leave, check=False)
    assert refused.code != 0
    assert "write durability: available" in refused.output
    pair.durability = "available"
    try:
        pair.play("data")
        pair.play(*leave)
        assert lab.ssh(standby, f"systemctl is-active postgresql@{VERSION}-main || true").strip() != "active"
        alone = Members(without(standby), pair.waiting)
        alone.durability = "available"
        slots = "SELECT count(*) FROM pg_replication_slots"
        assert pair.sql(primary, slots) == "1"
        alone.play("data")
        assert pair.sql(primary, slots) == "0", "no WAL is kept for one that is gone"
        assert alone.play("data").changed_tasks() == []
        lab.ssh(standby, f"rm -rf {DATA}")
        pair.play("add_standby")
    finally:
        pair.durability = "strict"
    pair.play("data")
    pair.healthy(primary)
    assert pair.sql(primary, STARTED) == started, "the primary serves all the while"
