# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of the keeper takes the second store's place: backed up to, drilled and restored from, and left again."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.drill

PATH = "/var/lib/estate-store"
TABLE = "estate_directory"


class DirectoryStore:
    """The estate whose second store is a directory."""

    def __init__(self, lab):
        self.lab, spec = lab, lab.spec()
        places = [spec["backup"]["repositories"][0], {"type": "posix", "path": PATH}]
        self.spec = {**spec, "backup": {**spec["backup"], "repositories": places}}
        self.file = json.dumps({"estate_spec": self.spec})

    def play(self, name, *flags, check=True):
        """A playbook by that file."""
        return self.lab.playbook(name, "-e", self.file, *flags, check=check)


@pytest.fixture(scope="module")
def store(lab, keeper):
    """The estate with that store, converged; afterwards as its own file says."""
    found = DirectoryStore(lab)
    found.play("onboard")
    yield found
    lab.playbook("onboard")
    assert lab.ssh(keeper, "systemctl is-active estate-backup-store", check=False).strip() == "inactive"
    assert lab.ssh(keeper, f"ls {PATH}/database/backup"), "what was stored stays"


def test_it_is_converged_and_holds_a_backup_of_its_own(lab, store, keeper):
    assert store.play("onboard").changed_tasks() == []
    told = store.play("backup_report").output
    assert "store 2: full" in told
    assert lab.ssh(keeper, f"stat -c %U:%a {PATH}/database").strip() == "estate-keeper:750"


def test_it_is_drilled_by_itself(lab, store, keeper):
    store.play("backup", "-e", "type=full")
    store.play("restore_drill", "-e", "store=2")
    newest = lab.ssh(keeper, "cat $(ls -t /var/lib/retailerp-estate/drills/*.json | head -1)")
    found = json.loads(newest)
    assert (found["store"], found["failed"]) == (2, {})


def test_the_directory_of_another_keeper_is_taken_over(lab, store, keeper):
    """As a mount has it whose files were written by a host that is gone: its users had other numbers."""
    lab.ssh(keeper, f"chown -hR 54321:54321 {PATH}/database")
    told = store.play("backups", "--check", "--diff", check=False)
    assert keeper in {host for host, _task in told.changed_tasks()}
    assert lab.ssh(keeper, f"stat -c %u {PATH}/database").strip() == "54321", "a check changes nothing"
    assert keeper in {host for host, _task in store.play("backups").changed_tasks()}
    assert lab.ssh(keeper, f"find {PATH}/database ! -user estate-keeper -o ! -group estate-keeper") == ""
    assert store.play("backups").changed_tasks() == []
    assert "store 2: full" in store.play("backup_report").output


def test_it_restores_alone_to_the_row(lab, store, pair):
    """A time between two rows, with the other store's backups left out."""
    primary = pair.primary()
    pair.sql(primary, f"CREATE TABLE IF NOT EXISTS {TABLE} AS SELECT 1 AS id")
    moment = pair.sql(primary, "SELECT clock_timestamp()")
    pair.sql(primary, f"INSERT INTO {TABLE} VALUES (2)")
    store.play("restore", "-e", pair.confirm, "-e", f"to='{moment}'", "-e", "store=2")
    assert pair.sql(primary, f"SELECT count(*) FROM {TABLE}") == "1"
    store.play("restore", "-e", pair.confirm, "-e", "finish=true")
