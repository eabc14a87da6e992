# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups in two stores: what a host's credentials can do, what a failover moves, and restores to the row."""

from __future__ import annotations

import json
import time

import pytest

from ansible_collections.retailerp.estate.tests.members import DATA, WAITING, cut
from ansible_collections.retailerp.estate.tests.objects import Identity

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


# Two segments and more of WAL that nothing compresses, as pictures and documents are.
NOISE = (
    "SELECT pg_logical_emit_message(false, 'estate', string_agg(sha512(random()::text::bytea), '')) "
    "FROM generate_series(1, 600000)"
)


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


def rows_of(pair):
    """Numbers and times: rows of two branches have the same numbers."""
    return pair.sql(pair.primary(), f"SELECT id, at FROM {TABLE} ORDER BY 1")


def test_a_second_run_changes_nothing_in_few_tasks(lab, keeper):
    done = lab.playbook("backups")
    assert done.changed_tasks() == []
    assert max(done.stats("ok")[host] for host in (*lab.group("db"), keeper)) <= 8


def test_wal_that_does_not_compress_reaches_both_stores(pair, waiting):
    primary = pair.primary()
    segment = pair.sql(primary, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    pair.sql(primary, NOISE)
    pair.sql(primary, "SELECT pg_switch_wal()")
    waiting("all is archived", lambda: pair.sql(primary, WAITING) == "0", timeout=120)
    assert pair.sql(primary, "SELECT last_archived_wal FROM pg_stat_archiver") > segment


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


def test_nobody_shortens_the_lock_or_deletes_what_it_holds(lab, backups):
    """Past pgBackRest, with the database hosts' key, the keeper's, and that of the store's administrator."""
    places = lab.spec()["backup"]["repositories"]
    number = next((number for number, place in enumerate(places, 1) if place["type"] == "s3"), None)
    if number is None:
        pytest.skip("no store of this estate is of type s3")
    place, secrets, stanza = places[number - 1], lab.secrets(), lab.spec()["id"]
    keys = {
        "host": (place["access_key"], secrets[f"backup_{number}_host"]),
        "keeper": (place["keeper_access_key"], secrets[f"backup_{number}_keeper"]),
        "administrator": ("lab", (lab.root / ".lab/ops1/s3_root").read_text().strip()),
    }
    who = {name: Identity(place, key, lab.ca) for name, key in keys.items()}
    # `path` of a store that does not say is the estate's id.
    above = place.get("path", f"/{stanza}").strip("/")
    name = f"{above}/backup/{stanza}/{backups()[number][-1]['label']}/backup.manifest"
    seen = who["administrator"].ask("HEAD", name, {})
    assert seen.status_code == 200, seen.status_code
    version = seen.headers["x-amz-version-id"]

    def locked():
        answer = who["administrator"].ask("GET", "", {"object-lock": ""})
        assert answer.status_code == 200, answer.text
        return answer.text

    before = locked()
    assert "COMPLIANCE" in before
    # In the lab's store, unlike in S3, the default is the bucket's alone; what its administrator may set says nothing.
    attempts = [(identity, attempt) for identity in ("host", "keeper") for attempt in ("shorten", "delete")]
    for identity, attempt in [*attempts, ("administrator", "delete")]:
        answer = getattr(who[identity], attempt)(name, version)
        told = f"{identity}: {attempt}: {answer.status_code} {answer.text}"
        # Theirs is forbidden by the bucket's policy; the administrator's by the lock alone.
        assert answer.status_code >= 400 if identity == "administrator" else answer.status_code == 403, told
    assert locked() == before
    assert who["host"].ask("HEAD", name, {"versionId": version}).status_code == 200, "it is still there"


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
    again = pair.play("restore", pair.confirm, "to=latest")
    assert again.changed_tasks() == []
    assert "nothing was done" in again.output
    assert pair.play("restore", pair.confirm, "to=latest", "--check").changed_tasks() == []
    refused = pair.play("restore", pair.confirm, "to='2026-01-01 00:00:00+00'", check=False)
    assert refused.code != 0
    assert "end that one first" in refused.output
    pair.play("restore", pair.confirm, "finish=true")


def test_what_is_written_after_the_way_back_is_what_latest_means(pair, lab):
    """The branch that the way back gives up has a higher number in the archive: it must not be the one that counts."""
    write(pair, 5)
    primary = pair.primary()
    pair.play("restore", pair.confirm, "to=latest")
    given_up = write(pair, 5)
    pair.play("restore", pair.confirm, "back=true")
    # What was given up and what is written now have the same numbers; only the latter is later.
    moment = pair.sql(primary, "SELECT clock_timestamp()")
    assert max(ledger(pair)) < given_up
    write(pair, 10)
    expected = rows_of(pair)
    lab.playbook("backup")
    assert pair.play("restore", pair.confirm, "back=true").changed_tasks() == [], "there is nothing to go back to"
    pair.play("restore", pair.confirm, "to=latest")
    assert rows_of(pair) == expected
    assert pair.sql(primary, f"SELECT count(*) FROM {TABLE} WHERE at > '{moment}'") == "10"
    pair.play("restore", pair.confirm, "finish=true")
    pair.play("switchover")
    write(pair, 5)
    segment = pair.sql(pair.primary(), "SELECT pg_walfile_name(pg_switch_wal())")
    last = "SELECT coalesce(max(last_archived_wal), '') FROM pg_stat_archiver"
    pair.waiting("the segment is archived", lambda: pair.sql(pair.primary(), last) >= segment, timeout=120)
    lab.playbook("backup")
    assert lab.playbook("backups").changed_tasks() == []


def test_a_restore_to_a_point_has_the_rows_of_its_files(pair, lab):
    write(pair, 5)
    name = f"t{time.time_ns()}"
    lab.playbook("backup", "-e", f"point={name}")
    before = rows_of(pair)
    write(pair, 5)
    refused = pair.play("restore", pair.confirm, f"point={name}", "to=latest", check=False)
    assert "name either a point" in refused.output
    told = pair.play("restore", pair.confirm, f"point={name}")
    assert rows_of(pair) == before
    assert f"restore_files -e point={name}" in told.output
    pair.play("restore_files", f"point={name}")
    pair.play("restore", pair.confirm, "finish=true")


COPYING = "TASK [retailerp.estate.postgresql_backup : Restore"


@pytest.mark.parametrize("times", [1, 2], ids=["while it copies", "while it recovers"])
def test_a_restore_that_is_killed_is_finished_by_the_next_run(pair, lab, waiting, times):
    write(pair, 5)
    before, primary = rows_of(pair), pair.primary()

    def kill():
        if times == 2:
            waiting("the copy is in place", lambda: lab.ssh(primary, f"ls -d {DATA}.estate-before", check=False))
        else:
            time.sleep(3)
        lab.ssh(primary, "pkill -KILL -x pgbackrest; pkill -KILL -fx '/usr/bin/python3[.0-9]*'", check=False)

    lab.killed(COPYING, times, "restore", "-e", pair.confirm, "-e", "to=latest", first=kill)
    if times == 2:
        refused = pair.play("restore", pair.confirm, "finish=true", check=False)
        assert "not through" in refused.output, "the data of before stays"
    pair.play("restore", pair.confirm, "to=latest")
    assert (pair.primary(), rows_of(pair)) == (primary, before)
    pair.play("restore", pair.confirm, "finish=true")


def test_a_copy_that_was_killed_can_be_given_up(pair, lab):
    primary = pair.primary()

    def kill():
        time.sleep(3)
        lab.ssh(primary, "pkill -KILL -x pgbackrest; pkill -KILL -fx '/usr/bin/python3[.0-9]*'", check=False)

    lab.killed(COPYING, 1, "restore", "-e", pair.confirm, "-e", "to=latest", first=kill)
    since = pair.sql(primary, "SELECT pg_postmaster_start_time()")
    pair.play("restore", pair.confirm, "back=true")
    assert lab.ssh(primary, f"ls -d {DATA}.estate-restore 2>/dev/null || true") == ""
    assert pair.sql(primary, "SELECT pg_postmaster_start_time()") == since, "the server went on"


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
        waiting("WAL waits", lambda: int(pair.sql(primary, WAITING)) > 0)
        write(pair, 5)
        # The primary's own question ends after two minutes; the keeper sees both stores meanwhile.
        told = lab.playbook("backup_report", check=False).output
        for number in range(1, 1 + len(lab.spec()["backup"]["repositories"])):
            assert f"Store {number} answers and knows this cluster" in told, told[-3000:]
    finally:
        lab.ssh(primary, "nft delete table inet cut")
    waiting("WAL has arrived", lambda: pair.sql(primary, WAITING) == "0", timeout=300)
    told = lab.playbook("backup_report").output
    assert "answers and knows this cluster" not in told, told[-3000:]
    assert lab.playbook("backups").changed_tasks() == []
