# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a stopped member's log, as pg_waldump tells it, and what keeps a server down."""

from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client, member, server
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

END = "pg_waldump: error: error in WAL record at {0}: invalid record length at {0}: expected at least 24, got 0"
# What each timeline's pg_waldump prints, by the number it is asked for.
PROGRAM = """#!/bin/sh
while [ $# -gt 0 ]; do case $1 in --timeline) timeline=$2;; esac; shift; done
cat "$(dirname "$0")/said-$timeline"
"""


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """A stopped member on timeline 1 whose programs are scripts."""
    monkeypatch.setattr(server, "LIBRARY", str(tmp_path))
    (tmp_path / "17/main/pg_wal").mkdir(parents=True)
    program = tmp_path / "pg_waldump"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    monkeypatch.setattr(server.Layout, "program", lambda self, name: str(tmp_path / name))
    control = {"Latest checkpoint's TimeLineID": "1", "Latest checkpoint location": "0/3000028"}
    monkeypatch.setattr(server, "control_data", lambda layout: control)
    return server.Layout("17")


def says(layout, timeline, *lines):
    path = os.path.join(os.path.dirname(layout.program("x")), f"said-{timeline}")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def record(position):
    return f"rmgr: Heap len (rec/tot): 54/54, tx: 7, lsn: {position}, prev 0/3000028, desc: INSERT"


def test_the_last_record_is_where_reading_ends(layout):
    says(layout, 1, record("0/3000028"), record("0/30000A0"), END.format("0/30000A0"))
    assert member.last_record(layout).begin == "0/30000A0"


def test_a_member_that_was_shut_down_ends_with_its_checkpoint(layout, monkeypatch):
    control = {**server.control_data(layout), "Database cluster state": "shut down"}
    monkeypatch.setattr(server, "control_data", lambda layout: control)
    # What pg_waldump says with --limit 1: no word of an end.
    says(layout, 1, record("0/3000028"))
    assert member.last_record(layout).begin == "0/3000028"


@pytest.mark.parametrize(
    "said",
    [
        "invalid resource manager ID 85 at 0/30000A0",
        "record length 1431655765 at 0/30000A0 too long",
        "there is no contrecord flag at 0/4000000",
    ],
)
def test_a_segment_that_was_used_before_ends_in_what_is_left_of_it(layout, said):
    says(layout, 1, record("0/3000028"), f"pg_waldump: error: error in WAL record at 0/3000028: {said}")
    assert member.last_record(layout).begin == "0/3000028"


def test_after_a_promotion_without_a_checkpoint_the_new_timeline_counts(layout):
    with open(f"{layout.directory}/pg_wal/00000002.history", "w", encoding="utf-8") as file:
        file.write("1\t0/3000100\tno recovery target specified\n")
    says(layout, 1, record("0/30000A0"), END.format("0/30000A0"))
    says(layout, 2, record("0/3000100"), record("0/3000800"), END.format("0/3000800"))
    assert member.last_record(layout).begin == "0/3000800"


def test_a_log_that_ends_for_another_reason_is_not_read_to_its_end(layout):
    says(layout, 1, record("0/30000A0"), "pg_waldump: error: could not read file: Input/output error")
    assert member.last_record(layout) is None


def test_a_segment_that_is_missing_in_the_middle_is_no_end(layout):
    name = "000000010000000000000004"
    says(layout, 1, record("0/30000A0"), f'pg_waldump: error: could not find file "{name}": No such file or directory')
    assert member.last_record(layout).begin == "0/30000A0"
    with open(f"{layout.directory}/pg_wal/000000010000000000000005", "w", encoding="utf-8"):
        pass
    assert member.last_record(layout) is None


def test_a_fence_takes_the_permit_away(tmp_path, monkeypatch):
    monkeypatch.setattr(member, "STATE", str(tmp_path))
    monkeypatch.setattr(member, "FENCE", str(tmp_path / "fenced"))
    monkeypatch.setattr(member, "PERMIT", str(tmp_path / "run/permit"))
    member.permit()
    assert member.is_permitted()
    member.fence("a test")
    assert member.is_fenced()
    assert not member.is_permitted()
    member.unfence()
    assert not member.is_fenced()


@pytest.mark.parametrize("names", ["ANY 1 (db2)", ""])
def test_strict_is_not_proven_where_nobody_is_waited_for(monkeypatch, names):
    """A file of somebody's own may still empty the setting when what a failover did is taken away."""
    ran = []
    monkeypatch.setattr(client, "connect", lambda port: contextlib.nullcontext())
    monkeypatch.setattr(client, "row", lambda connection, sql: {"names": names, "timeline": 2})
    monkeypatch.setattr(client, "execute", lambda connection, sql, what: ran.append(sql))
    with contextlib.nullcontext() if names else pytest.raises(EstateError, match="synchronous_standby_names is empty"):
        member.prove(5432)
    assert ("ALTER DATABASE postgres SET estate.proven_timeline = '2'" in ran) == bool(names)


@pytest.fixture
def clock(monkeypatch):
    """Time that passes by sleeping only."""
    now = SimpleNamespace(at=0.0)
    monkeypatch.setattr("time.monotonic", lambda: now.at)
    monkeypatch.setattr("time.sleep", lambda seconds: setattr(now, "at", now.at + seconds))
    return now


@pytest.mark.parametrize(("replies", "heard"), [(["1", "1", "3"], {"db2"}), (["1"], set()), ([None, "1"], {"db2"})])
def test_a_standby_is_heard_when_another_reply_comes(monkeypatch, clock, replies, heard):
    """A link that was cut goes on being listed, with the last reply."""
    said = iter(replies)
    last = []

    def rows(connection, sql):
        last[:] = [next(said, last[0] if last else None)]
        return [{"member": "db2", "replied": last[0]}]

    monkeypatch.setattr(client, "connect", lambda port: contextlib.nullcontext())
    monkeypatch.setattr(client, "rows", rows)
    assert member.followers(5432) == heard
    assert clock.at <= member.LISTEN_S + 1


def test_a_primary_that_nobody_streams_from_or_that_does_not_answer_is_not_listened_to(monkeypatch, clock):
    monkeypatch.setattr(client, "rows", lambda connection, sql: [])
    monkeypatch.setattr(client, "connect", lambda port: contextlib.nullcontext())
    assert member.followers(5432) == set()

    def silent(port):
        raise EstateError("it does not answer")

    monkeypatch.setattr(client, "connect", silent)
    assert member.followers(5432) == set()
    assert clock.at == 0


@pytest.mark.parametrize(
    ("ends_after", "verbs"), [(1, ["stop"]), (server.HALT_S + 1, ["stop", "kill"]), (10**6, ["stop", "kill"])]
)
def test_a_server_that_does_not_stop_within_seconds_is_killed(layout, monkeypatch, clock, ends_after, verbs):
    asked = []
    monkeypatch.setattr(server, "systemctl", lambda verb, unit, *options: asked.append((verb, *options)))
    monkeypatch.setattr(server, "is_running", lambda layout: clock.at < ends_after)
    monkeypatch.setattr(server, "is_active", lambda unit: clock.at < ends_after)
    with pytest.raises(EstateError, match="SIGKILL") if ends_after == 10**6 else contextlib.nullcontext():
        server.halt(layout)
    assert asked == [("stop", "--no-block"), ("kill", "--signal=KILL")][: len(verbs)]
    assert clock.at <= 2 * server.HALT_S + 1
