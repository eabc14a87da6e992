# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_maintenance as Ansible calls it: when it may change something, and what it tells when it may not."""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import cluster, maintenance_client, server
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.maintenance import State, Table
from ansible_collections.retailerp.estate.plugins.modules import postgresql_maintenance

FULL = Table("shop", "public.t", live=1000, dead=9000)
OPTIONS = {
    "member": "db1",
    "version": "99",
    "time_zone": "Europe/Berlin",
    "trading_hours": {"days": ["mon", "tue"], "from": "08:00", "to": "20:00"},
}


class Host:
    """A primary with one table full of dead rows, at a time of the shop's day; the steps take `step_s` seconds each."""

    def __init__(self):
        self.instance = cluster.Instance("db1", "ready", "primary", True, "42", 1, "in production")
        self.state = State(({"name": "shop", "age_percent": 1},), (FULL,), ())
        self.now = datetime(2026, 11, 23, 21, 0, tzinfo=ZoneInfo("Europe/Berlin"))  # a Monday
        self.seconds, self.step_s, self.ran, self.left = 1000.0, 60.0, [], []

    def apply(self, port, changes, times):
        for position, change in enumerate(changes):
            self.left.append(times.left_s())
            if times.over():
                del changes[position:]
                return
            self.ran.append(change.data.statement)
            self.seconds += self.step_s
            done = [table for table in self.state.tables if not change.data.statement.endswith(table.name)]
            self.state = State(self.state.databases, tuple(done), ())


@pytest.fixture
def host(tmp_path, monkeypatch):
    found = Host()
    monkeypatch.setattr(runner, "STATE", str(tmp_path))
    monkeypatch.setattr(server, "read_instance", lambda layout, name: found.instance)
    monkeypatch.setattr(maintenance_client, "read", lambda port, min_bytes, lock_s: found.state)
    monkeypatch.setattr(maintenance_client, "apply", found.apply)
    monkeypatch.setattr(postgresql_maintenance.time, "monotonic", lambda: found.seconds)
    return found


@pytest.fixture
def call(host, monkeypatch, capsys):
    """Run the module; its result."""

    def run(check=False, **options):
        monkeypatch.setattr(postgresql_maintenance, "local_time", lambda zone: host.now)
        with patch_module_args({**OPTIONS, **options, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            postgresql_maintenance.main()
        return json.loads(capsys.readouterr().out)

    return run


def test_at_night_it_does_what_check_mode_foretold(host, call):
    foretold = call(check=True)
    assert host.ran == []
    done = call()
    assert host.ran == ["VACUUM (ANALYZE) public.t"]
    assert (done["changed"], done["changes"], done["left"]) == (True, foretold["changes"], [])
    assert foretold["report"]["dead_rows"][0]["dead"] == 9000
    assert [control["id"] for control in foretold["controls"] if control["state"] == "fail"] == [
        "postgresql.maintenance.dead_rows"
    ]
    assert not call()["changed"]


def test_in_trading_hours_it_only_reports(host, call):
    host.now = host.now.replace(hour=12)
    assert call(check=True)["changed"]
    refused = call()
    assert refused["failed"]
    assert "the shop trades until 20:00 (Europe/Berlin, where it is 12:00); nothing was changed" in refused["msg"]
    assert host.ran == []
    assert call(anyway=True)["changed"]
    # With nothing to do there is nothing to refuse.
    assert not call().get("failed")


@pytest.mark.parametrize(
    ("at", "budget", "steps"), [((21, 0), 1, 1), ((21, 0), 2, 2), ((7, 59), 60, 1), ((7, 58), 60, 2), ((7, 50), 3, 3)]
)
def test_no_step_begins_after_the_budget_or_in_trading_hours(host, call, at, budget, steps):
    host.now = host.now.replace(hour=at[0], minute=at[1])
    tables = tuple(Table("shop", f"t{number}", live=0, dead=9000 - number) for number in range(5))
    host.state = State((), tables, ())
    done = call(budget_minutes=budget)
    assert host.ran == [f"VACUUM (ANALYZE) t{number}" for number in range(steps)]
    assert len(done["changes"]) == steps
    assert len(done["left"]) == 5 - steps
    assert done["left"][-1] == "VACUUM (ANALYZE): table t4 in shop (8996 dead rows beside 0)"


def test_a_step_has_until_trading_begins_or_as_long_as_it_takes(host, call):
    host.now = host.now.replace(hour=7, minute=30)
    host.state = State((), tuple(Table("shop", name, live=0, dead=9000) for name in "ab"), ())
    call()
    assert host.left == [1800, 1740]
    host.state, host.left[:] = State((), (FULL,), ()), []
    call(anyway=True)
    assert host.left == [None]


def test_limits_are_taken_and_unknown_ones_refused(host, call):
    assert not call(check=True, limits={"min_dead_rows": 9001})["changed"]
    refused = call(check=True, limits={"min_dead_row": 9001})
    assert refused["failed"]
    assert "min_dead_row" in refused["msg"]


def test_a_standby_is_refused(host, call):
    host.instance = cluster.Instance("db2", "ready", "standby", True, "42", 1, "in archive recovery")
    refused = call(check=True)
    assert refused["failed"]
    assert "maintenance is for the primary" in refused["msg"]


def test_a_bare_host_is_an_answer_in_check_mode_only(host, call):
    host.instance = cluster.Instance("db1", "absent")
    told = call(check=True)
    assert (told["changed"], told["controls"][0]["id"]) == (False, "postgresql.server.running")
    assert "db1 (absent): no server runs here" in call()["msg"]


def test_a_host_that_knows_no_time_zones_says_what_it_lacks(host, capsys):
    with patch_module_args({**OPTIONS, "time_zone": "Mars/Olympus"}), pytest.raises(SystemExit):
        postgresql_maintenance.main()
    refused = json.loads(capsys.readouterr().out)
    assert refused["msg"] == "this host does not know the time zone Mars/Olympus: install the package tzdata"
