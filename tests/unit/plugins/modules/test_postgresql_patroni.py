# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Patroni modules as Ansible calls them, without Patroni and with one that answers as the real one was seen to."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.retailerp.estate.plugins.module_utils.patroni import api
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.modules import postgresql_patroni, postgresql_patroni_info

PLACE = {"member": "db2", "address": "127.0.0.1", "api_port": 1, "tls_directory": "/nowhere"}
SETTINGS = {"ttl": 20, "loop_wait": 5}
MEMBERS = [
    {"name": "db1", "role": "leader", "state": "running", "timeline": 1},
    {"name": "db2", "role": "quorum_standby", "state": "streaming", "timeline": 1, "lag": 0},
]


class FakeApi:
    """Answers like the REST API of Patroni 4.0, and does what it is told."""

    def __init__(self):
        self.members = [dict(member) for member in MEMBERS]
        self.settings = dict(SETTINGS)
        self.asked = []

    def ask(self, method, path, body=None, timeout_s=15):
        self.asked.append((method, path, body))
        if method == "PUT":
            self.settings = body
        if path == "/switchover":
            for member in self.members:
                member["role"] = "leader" if member["name"] == body["candidate"] else "replica"
        answers = {
            "/cluster": {"members": self.members},
            "/config": self.settings,
            "/patroni": {"dcs_last_seen": 2**40},
        }
        return 200, answers.get(path, "done")

    do = api.Api.do


@pytest.fixture
def patroni(monkeypatch):
    """This host's Patroni."""
    fake = FakeApi()
    monkeypatch.setattr(api, "of", lambda params: fake)
    return fake


def call(capsys, module, check=False, **options):
    """Run a module; its result."""
    with patch_module_args({**PLACE, **options, "_ansible_check_mode": check}), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def unlocked(monkeypatch):
    """No lock is taken on this machine."""
    monkeypatch.setattr("ansible_collections.retailerp.estate.plugins.module_utils.runner.System.lock", lambda *_: None)


def test_check_mode_on_a_host_without_patroni_foretells_nothing(capsys):
    assert not call(capsys, postgresql_patroni, check=True, settings=SETTINGS)["changed"]


def test_a_host_whose_patroni_does_not_answer_fails_with_the_place_to_look(capsys, unlocked):
    assert "does not answer on db2" in call(capsys, postgresql_patroni, wait_s=0)["msg"]


def test_settings_are_put_once(capsys, unlocked, patroni):
    wanted = {**SETTINGS, "ttl": 30}
    assert call(capsys, postgresql_patroni, settings=wanted)["changed"]
    assert ("PUT", "/config", wanted) in patroni.asked
    assert not call(capsys, postgresql_patroni, settings=wanted)["changed"]


def test_a_switchover_names_both_sides(capsys, unlocked, patroni):
    assert call(capsys, postgresql_patroni, state="leader")["changed"]
    assert ("POST", "/switchover", {"leader": "db1", "candidate": "db2"}) in patroni.asked


def test_check_mode_orders_nothing(capsys, patroni):
    assert call(capsys, postgresql_patroni, check=True, state="leader", settings={"ttl": 30})["changed"]
    assert {method for method, _path, _body in patroni.asked} == {"GET"}


def test_what_patroni_says_against_it_is_the_error(capsys, unlocked, patroni):
    answer = patroni.ask
    patroni.ask = lambda m, p, b=None, t=15: (412, "no good candidates") if m == "POST" else answer(m, p, b, t)
    told = call(capsys, postgresql_patroni, state="leader")
    assert "switchover: Patroni says: no good candidates" in told["msg"]


def test_a_standby_restarts_by_its_role_and_is_waited_for(monkeypatch, patroni):
    monkeypatch.setattr(api.time, "sleep", lambda _s: patroni.members[1].update(role="quorum_standby"))
    api.wait_to_restart(patroni, "db2", 0)
    patroni.members[1]["role"] = "replica"
    api.restart_standby(patroni, "db2", 30)
    assert ("POST", "/restart", {"role": "replica", "timeout": 30}) in patroni.asked


def test_a_standby_that_does_not_come_back_is_told(patroni):
    patroni.members[1]["role"] = "replica"
    with pytest.raises(EstateError, match="db2 was restarted, and after 0 s no commit waits for it"):
        api.restart_standby(patroni, "db2", 0)


def test_nobody_is_restarted_while_another_standby_is_missing(patroni):
    patroni.members.append({"name": "db3", "role": "replica", "state": "starting", "timeline": 1})
    with pytest.raises(EstateError, match="db2 is not restarted: after 0 s no commit waits for db3"):
        api.wait_to_restart(patroni, "db2", 0)
    with pytest.raises(EstateError, match="db1 leads the cluster"):
        api.wait_to_restart(patroni, "db1", 0)
    del patroni.members[0], patroni.members[1]
    with pytest.raises(EstateError, match="nobody leads, or it is no member"):
        api.wait_to_restart(patroni, "db2", 0)
    assert {method for method, _path, _body in patroni.asked} == {"GET"}


def test_info_tells_who_leads_and_judges(capsys, patroni):
    told = call(capsys, postgresql_patroni_info, members=["db1", "db2"], settings=SETTINGS)
    assert told["cluster"]["leader"] == "db1"
    assert [control["id"] for control in told["controls"] if control["state"] == "fail"] == []


def test_info_on_a_host_without_patroni_is_an_answer(capsys):
    told = call(capsys, postgresql_patroni_info, members=["db1", "db2"])
    assert not told.get("failed")
    assert [control["state"] for control in told["controls"]] == ["fail"]
