# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done about pgBackRest's account of a cluster, and what of it must hold."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import backup, backup_health, store_lock
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.backup_health import Archiver, Limits, Seen
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.store_lock import Lock
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

HOUR, DAY = 3600, 24 * 3600
NOW = 1_800_000_000
SYSTEM = "7391184432017"
COMMAND = backup.archive_command("shop")
DESIRED = backup.Desired("shop", (1, 2), SYSTEM, "17")


def told(number, code=0, system=SYSTEM, version="17"):
    """The part of pgBackRest's account that is about one store."""
    made = [{"id": 1, "repo-key": number, "system-id": int(system), "version": version}] if system else []
    return {"repo": {"key": number, "status": {"code": code, "message": f"code {code}"}}, "db": made}


def stanza(*stores, backups=()):
    return backup.account(
        [
            {
                "name": "shop",
                "repo": [store["repo"] for store in stores],
                "db": [one for store in stores for one in store["db"]],
                "backup": [one_backup(*each) for each in backups],
                "archive": [{"database": {"id": 1, "repo-key": 1}, "id": "17-1", "min": "0A", "max": "0F"}],
                "status": {"code": 0, "lock": {"backup": {"held": False}}},
            }
        ]
    )


def one_backup(store, kind, hours, damaged=False):
    ended = NOW - int(hours * HOUR)
    return {
        "database": {"id": 1, "repo-key": store},
        "label": f"{store}-{kind}-{hours}",
        "type": kind,
        "timestamp": {"start": ended - 60, "stop": ended},
        "info": {"size": 2**31, "delta": 2**31, "repository": {"delta": 2**20}},
        "error": damaged,
        "archive": {"start": "0A", "stop": "0B"},
    }


BOTH = [(1, "full", 2), (2, "full", 2)]
GARBAGE = "[FormatError] unable to load info file\n\x07\x19\ufffd secret"


def test_what_a_wrong_key_opened_is_not_handed_on():
    quoted = json.dumps([{"repo": [told(1)["repo"]]}]).replace("code 0", GARBAGE.replace("\n", "\\n"))
    (store,) = backup.account(backup.parsed(quoted)).stores
    assert store.message == "[FormatError] unable to load info file"


def test_a_copy_takes_what_the_largest_backup_of_its_store_holds():
    account = stanza(told(1), told(2), backups=BOTH)
    account = replace(account, backups=(replace(account.backups[0], size=7), account.backups[1]))
    assert [backup.largest(account, store) for store in (None, 1, 2, 3)] == [2**31, 7, 2**31, 0]


def actions(changes):
    return [(change.action, change.data) for change in changes]


def test_nothing_is_to_do_where_both_stores_have_this_cluster():
    assert backup.plan(stanza(told(1), told(2), backups=BOTH), DESIRED) == []


def test_a_store_without_a_backup_gets_a_full_one():
    found = stanza(told(1), told(2, backup.NO_BACKUP), backups=BOTH[:1])
    (change,) = backup.plan(found, DESIRED)
    assert (change.resource, change.data) == ("full backup to store 2", "back_up")


def test_a_damaged_backup_is_not_made_again_by_each_run():
    found = stanza(told(1), told(2), backups=[(1, "full", 2), (2, "full", 2, True)])
    assert backup.plan(found, DESIRED) == []


@pytest.mark.parametrize("code", [backup.NO_PATH, backup.NO_DATA])
def test_a_store_that_lacks_the_stanza_gets_it(code):
    found = stanza(told(1), told(2, code, system=None), backups=BOTH[:1])
    assert actions(backup.plan(found, DESIRED)) == [("create", "create"), ("run", "back_up")]
    assert "store 2" in backup.plan(found, DESIRED)[0].after


def test_on_a_bare_host_check_mode_foretells_the_stanza():
    foretold = actions(backup.plan(backup.Account(), backup.Desired("shop", (1,))))
    assert foretold == [("create", "create"), ("run", "back_up")]


def test_after_a_major_upgrade_the_stanza_follows_when_somebody_says_so():
    found = stanza(told(1, version="16", system="1"), told(2, version="16", system="1"), backups=BOTH)
    with pytest.raises(
        EstateError, match="store 1 and 2 holds backups of PostgreSQL 16 as shop, and this cluster is of 17"
    ):
        backup.plan(found, DESIRED)
    (change,) = backup.plan(found, replace(DESIRED, upgraded=True))
    assert (change.data, change.before, change.after) == ("upgrade", "PostgreSQL 16", "PostgreSQL 17")


def test_a_store_with_another_cluster_is_refused():
    with pytest.raises(EstateError, match="store 2 holds another cluster's backups as shop"):
        backup.plan(stanza(told(1), told(2, system="12")), DESIRED)


def test_a_store_that_does_not_answer_stops_the_run_in_its_own_words():
    with pytest.raises(EstateError, match="store 2: code 99"):
        backup.plan(stanza(told(1), told(2, backup.OTHER, system=None)), DESIRED)


def test_a_backup_of_now_goes_to_the_store_that_answers():
    found = stanza(told(1), told(2, backup.OTHER, system=None), backups=BOTH)
    wanted = replace(DESIRED, now="diff", before={1: "1-full-2", 2: None})
    assert [change.data for change in backup.plan(found, wanted)] == ["back_up"]
    with pytest.raises(EstateError, match="store 1: code 99; store 2: code 99"):
        backup.plan(stanza(told(1, backup.OTHER, system=None), told(2, backup.OTHER, system=None)), wanted)


def test_a_backup_of_now_is_newer_than_what_was_there():
    found = stanza(told(1), told(2), backups=[(1, "full", 2), (2, "full", 2)])
    wanted = replace(DESIRED, now="diff", before={1: "1-full-2", 2: "2-full-2"})
    assert [change.data for change in backup.plan(found, wanted)] == ["back_up"]
    after = stanza(told(1), told(2), backups=[(1, "diff", 0), (2, "full", 2)])
    assert backup.plan(after, wanted)[0].resource == "diff backup to store 2"


def failed(controls):
    return [control.id for control in controls if control.state == "fail"]


def seen(*backups, **more):
    found = stanza(told(1), told(2), backups=backups or [(1, "full", 2), (2, "full", 2)])
    return Seen(found, NOW, keeper=True, **more)


ARCHIVER = Archiver("on", COMMAND, archived=NOW - 10, failed=None)


def test_fresh_backups_and_an_archiver_that_gets_through_hold():
    fine = seen(archiver=ARCHIVER)
    assert failed(backup_health.controls(fine, (1, 2), "shop", {})) == []
    assert failed(backup_health.vitals(fine, (1, 2), Limits(), {})) == []


@pytest.mark.parametrize(
    ("backups", "control"),
    [
        ([(1, "full", 2)], ["backup.2.age", "backup.2.full_age"]),
        ([(1, "full", 31), (2, "full", 1)], ["backup.1.age"]),
        ([(1, "full", 10 * 24), (1, "diff", 1), (2, "full", 1)], ["backup.1.full_age"]),
        ([(1, "full", 1), (1, "diff", 1, True), (2, "full", 1)], ["backup.1.damaged"]),
    ],
)
def test_old_and_damaged_backups_are_told(backups, control):
    assert failed(backup_health.vitals(seen(*backups), (1, 2), Limits(), {})) == control


@pytest.mark.parametrize(
    ("days", "limits", "state", "observed"),
    [
        (3650, {}, "pass", "3650.0 days, until 2037-01-12 08:00 UTC"),
        (14, {}, "pass", "14.0 days, until 2027-01-29 08:00 UTC"),
        (13.9, {}, "fail", "13.9 days, until 2027-01-29 05:36 UTC"),
        (20, {"min_credential_days": 21}, "fail", "20.0 days, until 2027-02-04 08:00 UTC"),
        (-2, {}, "fail", "ended 2.0 days ago, 2027-01-13 08:00 UTC"),
    ],
)
def test_credentials_that_end_are_told_in_time(days, limits, state, observed):
    found = backup_health.vitals(seen(), (1, 2), Limits.of(limits), {2: NOW + days * DAY})
    first, second = [control for control in found if control.id.endswith(".credential")]
    assert (first.id, first.state) == ("backup.1.credential", "exempt"), "a key has no end"
    assert (second.id, second.state, second.observed) == ("backup.2.credential", state, observed)
    assert ("backup_2_host" in second.reason) == (state == "fail")


def test_credentials_are_the_keepers_affair():
    found = backup_health.vitals(replace(seen(), keeper=False), (1, 2), Limits(), {2: NOW})
    assert found == []


def test_ends_of_credentials_are_read_by_store():
    given = ["", "2027-01-15T08:00:00+00:00"]
    assert backup_health.moments((1, 2), given) == {2: NOW}
    assert backup_health.moments((1,), ["2027-01-15"]) == {1: NOW - 8 * HOUR}
    assert backup_health.moments((1, 2), []) == {}
    with pytest.raises(EstateError, match="credential_ends: soon is no time"):
        backup_health.moments((1,), ["soon"])


@pytest.mark.parametrize(
    ("archiver", "control"),
    [
        (replace(ARCHIVER, failed=NOW - 1, last_failed="0F"), "failing"),
        (replace(ARCHIVER, problem="[101]: cannot connect"), "failing"),
        (replace(ARCHIVER, waiting=65), "waiting"),
        (replace(ARCHIVER, oldest_waiting_s=301), "delay"),
        (replace(ARCHIVER, dropped="0F", dropped_at=NOW - 1), "dropped"),
    ],
)
def test_an_archiver_in_trouble_is_told(archiver, control):
    assert failed(backup_health.vitals(seen(archiver=archiver), (1, 2), Limits(), {})) == [f"backup.archive.{control}"]


@pytest.mark.parametrize(
    "archiver",
    [replace(ARCHIVER, mode="off"), replace(ARCHIVER, command="/bin/true"), replace(ARCHIVER, mode="always")],
)
def test_a_server_that_does_not_archive_here_stops_the_run(archiver):
    found = seen(archiver=archiver)
    assert failed(backup_health.controls(found, (1, 2), "shop", {})) == ["backup.archive.on"]


@pytest.mark.parametrize(
    ("lock", "wanted", "state"),
    [
        (Lock("COMPLIANCE", 30), 30, "pass"),
        (Lock("LOCKED", 30), 30, "pass"),
        (Lock("COMPLIANCE", 29), 30, "fail"),
        (Lock("GOVERNANCE", 30), 30, "fail"),
        (Lock("UNLOCKED", 30), 30, "fail"),
        (Lock(), 30, "fail"),
        (Lock(error="the store answers 403"), 30, "fail"),
        (Lock(), 0, "exempt"),
    ],
)
def test_a_lock_is_asserted_with_its_length(lock, wanted, state):
    found = backup_health.controls(seen(locks={1: lock}), (1, 2), "shop", {1: wanted})
    assert [control.state for control in found if control.id == "backup.1.lock"] == [state]


def test_a_directory_never_passes_for_a_store_that_locks():
    lock = store_lock.ask({"repo1-type": "posix", "repo1-path": "/srv/backup/database"}, 1, "shop")
    for wanted, state in ((0, "exempt"), (7, "fail")):
        found = backup_health.controls(seen(locks={1: lock}), (1,), "shop", {1: wanted})
        assert [control.state for control in found if control.id == "backup.1.lock"] == [state]


def test_a_limit_of_an_operator_counts_and_an_unknown_one_is_refused():
    assert failed(backup_health.vitals(seen(), (1, 2), Limits.of({"max_age_hours": 1}), {})) == [
        "backup.1.age",
        "backup.2.age",
    ]
    with pytest.raises(EstateError, match="max_age is none of max_age_hours"):
        Limits.of({"max_age": 1})


def test_what_was_dropped_is_told_until_every_store_has_a_younger_backup():
    lost = replace(ARCHIVER, dropped="0F", dropped_at=NOW - 2 * HOUR + 1)
    (one,) = failed(backup_health.vitals(seen(*BOTH, archiver=lost), (1, 2), Limits(), {}))
    assert one == "backup.archive.dropped"
    younger = [(1, "full", 1), (2, "full", 1)]
    assert failed(backup_health.vitals(seen(*younger, archiver=lost), (1, 2), Limits(), {})) == []
    assert failed(backup_health.vitals(seen(BOTH[0], younger[1], archiver=lost), (1, 2), Limits(), {})) == [one]


def test_the_summary_is_a_line_for_each_thing():
    lines = backup_health.summary(seen((1, "full", 2), archiver=ARCHIVER, locks={1: Lock("COMPLIANCE", 7)}), (1, 2))
    assert lines[0] == "store 1: full 1-full-2, 2.0 h ago, took 60 s, 1.0 MiB of 2.0 GiB"
    assert "store 1: lock COMPLIANCE, 7 days" in lines
    assert "store 2: no backup" in lines


@pytest.mark.parametrize(
    ("timeline", "place", "label"),
    [(5, "0/D5000000", "b"), (5, "0/D4FFFFFF", "a"), (5, "0/D2000000", None), (4, "0/D5000000", None)],
)
def test_a_point_is_restored_from_the_newest_backup_of_its_branch_that_was_whole_before_it(timeline, place, label):
    def one(name, end, ended, store=2):
        names = {"wal_begin": "0000000500000000000000D2", "wal_end": f"0000000500000000000000{end}"}
        return backup.Backup(store, name, "incr", 0, ended, 1, 1, False, **names)

    backups = (one("a", "D3", 1), one("b", "D4", 2), one("c", "D2", 3, store=1))
    assert backup.base(backup.Account(backups=backups), 2, timeline, place) == label
    # A major upgrade begins to count anew what timelines and places there are.
    upgraded = backup.Account((backup.Store(2, backup.OK, database=2),), backups)
    assert backup.base(upgraded, 2, timeline, place) is None


def test_backups_of_before_a_major_upgrade_are_told_apart():
    made = [{"id": number, "repo-key": 1, "system-id": 7, "version": f"{14 + number}"} for number in (1, 2)]
    before, after = (
        {**one_backup(1, "full", hours), "database": {"id": number, "repo-key": 1}}
        for number, hours in ((1, 9), (2, 1))
    )
    repo = {"key": 1, "status": {"code": 0, "message": "ok"}}
    archives = [{"database": {"id": number, "repo-key": 1}, "id": f"{14 + number}-{number}"} for number in (2, 1)]
    told = {"name": "shop", "repo": [repo], "db": made, "backup": [before, after], "archive": archives}
    account = backup.account([told])
    assert account.archives[1][-1]["id"] == "16-2"
    assert [one.label for one in account.current(1)] == ["1-full-1"]
    assert (account.of(1).version, account.of(1).database, len(account.backups)) == ("16", 2, 2)
