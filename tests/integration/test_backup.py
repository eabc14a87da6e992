# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups in two stores: what a host's credentials can do, what a failover moves, and restores to the row."""

from __future__ import annotations

import json

import pytest

from ansible_collections.retailerp.estate.tests.members import DATA, Pair, cut

pytestmark = pytest.mark.drill

TABLE = "estate_backup_ledger"
AS_KEEPER = (
    "runuser -u estate-keeper -- pgbackrest --config=/etc/estate/backup-keeper/pgbackrest.conf "
    "--config-include-path=/etc/estate/backup-keeper/conf.d"
)
# A row every tenth of a second, each a transaction of its own.
WRITE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp());
DO $$ BEGIN FOR i IN 1..%d LOOP
  INSERT INTO {TABLE} DEFAULT VALUES; COMMIT; PERFORM pg_sleep(0.1); END LOOP; END $$;
"""


@pytest.fixture(scope="module")
def pair(lab, waiting):
    """The pair, with backups; durability as the estate's file says."""
    if "backup" not in lab.spec():
        pytest.skip("this estate has no backups")
    found = Pair(lab, waiting)
    found.durability = "available"
    return found


@pytest.fixture(scope="module")
def keeper(lab):
    """The host that makes the backups."""
    return lab.group("ops")[0]


@pytest.fixture
def backups(lab, keeper, pair):
    """Call it: each store's backups, newest last, by the keeper's account."""

    def read():
        told = json.loads(lab.ssh(keeper, f"{AS_KEEPER} --stanza={lab.spec()['id']} --output=json info"))
        found: dict[int, list[dict]] = {}
        for backup in told[0]["backup"]:
            found.setdefault(backup["database"]["repo-key"], []).append(backup)
        return found

    return read


def write(pair, rows):
    """Write rows on the primary, and return the ledger's last one."""
    primary = pair.primary()
    pair.sql(primary, WRITE % rows)
    return int(pair.sql(primary, f"SELECT max(id) FROM {TABLE}"))


def ledger(pair, host=None):
    """The numbers that are there."""
    return [int(line) for line in pair.sql(host or pair.primary(), f"SELECT id FROM {TABLE} ORDER BY 1").split()]


def test_a_second_run_changes_nothing(lab):
    assert lab.playbook("backups").changed_tasks() == []


def test_each_store_gets_a_backup_of_its_own_read_from_the_standby(pair, lab, keeper, backups):
    write(pair, 5)
    lab.playbook("backup", "-e", "type=full")
    found = backups()
    assert sorted(found) == list(range(1, 1 + len(lab.spec()["backup"]["repositories"])))
    assert {store[-1]["type"] for store in found.values()} == {"full"}
    assert not [one for store in found.values() for one in store if one["error"]]
    log = lab.ssh(keeper, "cat /var/log/estate-keeper/*-backup.log")
    assert "wait for replay on the standby" in log


@pytest.mark.parametrize("number", [1, 2])
def test_with_a_database_hosts_credentials_no_backup_is_deleted_or_overwritten(pair, lab, backups, number):
    host, stanza = pair.primary(), lab.spec()["id"]
    label = backups()[number][-1]["label"]
    program = f"cd / && runuser -u postgres -- pgbackrest --stanza={stanza} --repo={number}"
    told = lab.ssh(host, f"{program} repo-ls backup/{stanza}/{label}")
    assert "backup.manifest" in told, "it may read"
    for attempt in (
        f"{program} repo-rm backup/{stanza}/{label}/backup.manifest",
        f"{program} repo-rm --recurse backup/{stanza}/{label}",
        f"echo forged | {program} repo-put backup/{stanza}/backup.info",
        f"echo forged | {program} repo-put archive/{stanza}/archive.info",
        f"{program} expire --repo{number}-retention-full=1",
    ):
        said = lab.ssh(host, f"{attempt} >/run/said 2>&1; echo $?; cat /run/said; rm -f /run/said")
        assert said.split()[0] != "0", attempt
        assert "403" in said, said
    assert lab.ssh(host, f"{program} repo-ls backup/{stanza}/{label}") == told
    assert backups()[number][-1]["label"] == label


def test_restores_are_exact_to_the_transaction_at_any_moment(pair, lab):
    """Five moments between two rows; each time the rows before are there, and none after."""
    last = write(pair, 60)
    primary = pair.primary()
    # Backwards: the newest branch no longer has the moments that an earlier restore left behind.
    for row in range(last - 10, last - 60, -10):
        moment = pair.sql(primary, f"SELECT at - interval '20 ms' FROM {TABLE} WHERE id = {row}")
        expected = [number for number in ledger(pair) if number < row]
        pair.play("restore", pair.confirm, f"to='{moment}'")
        assert ledger(pair, primary) == expected
        assert ledger(pair, pair.standby(primary)) == expected
        pair.play("restore", pair.confirm, "finish=true")
        assert lab.ssh(primary, f"ls -d {DATA}.estate-before 2>/dev/null || true") == ""
        write(pair, 5)


def test_a_restore_that_is_not_ended_is_not_followed_by_another(pair, lab):
    write(pair, 3)
    before = ledger(pair)
    assert pair.play("restore", "to=latest", check=False).code != 0, "it is confirmed first"
    pair.play("restore", pair.confirm, "to=latest")
    assert ledger(pair) == before, "latest loses nothing"
    assert pair.play("restore", pair.confirm, "to=latest").changed_tasks() == []
    refused = pair.play("restore", pair.confirm, "to='2026-01-01 00:00:00+00'", check=False)
    assert refused.code != 0
    assert "end that one first" in refused.output
    pair.play("restore", pair.confirm, "finish=true")


def test_backups_go_on_after_a_switchover_without_a_step(pair, lab, keeper, backups):
    was, counts = pair.primary(), {store: len(found) for store, found in backups().items()}
    pair.play("switchover")
    assert pair.primary() != was
    lab.ssh(keeper, "systemctl start estate-backup@diff", timeout=300)
    assert {store: len(found) for store, found in backups().items()} == {store: n + 1 for store, n in counts.items()}
    last = write(pair, 10)
    label = backups()[1][-1]["label"]
    pair.play("restore", pair.confirm, f"to={label}")
    assert max(ledger(pair), default=0) < last
    pair.play("restore", pair.confirm, "finish=true")


def test_a_store_out_of_reach_is_told_and_made_up_for(pair, lab, keeper, waiting):
    primary = pair.primary()
    cut(lab, primary, keeper, "out")
    try:
        write(pair, 5)
        pair.sql(primary, "SELECT pg_switch_wal()")
        waiting_segments = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
        waiting("WAL waits", lambda: int(pair.sql(primary, waiting_segments)) > 0)
        write(pair, 5)
    finally:
        lab.ssh(primary, "nft delete table inet cut")
    waiting("WAL has arrived", lambda: pair.sql(primary, waiting_segments) == "0", timeout=180)
    assert lab.playbook("backups").changed_tasks() == []
