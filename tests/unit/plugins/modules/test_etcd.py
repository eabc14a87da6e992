# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd_cluster and etcd_cluster_info on a host whose etcdctl and data directory are stand-ins."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.etcd import client
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import UnitState
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.modules import etcd_cluster, etcd_cluster_info

MEMBERS = {"db1": "10.0.0.1", "db2": "10.0.0.2", "ops1": "10.0.0.3"}
OPTIONS = {"name": "ops1", "members": MEMBERS}


class Voter(System):
    """A host in a directory. `cluster`: id → name of the members; None: nobody answers. `alive`: who is healthy."""

    def __init__(self):
        super().__init__()
        self.cluster, self.alive, self.active, self.ran, self.refusals = None, set(), False, [], 0

    def unit(self, name):
        return UnitState(True, "active" if self.active else "inactive", "running", "enabled")

    def pause(self, seconds):
        self.ran.append("pause")

    def write(self, path, content, uid, gid, mode):
        with open(path, "wb") as file:
            file.write(content)

    def run(self, argv, stdin=None, timeout_s=0):
        if argv[0] == "systemctl":
            self.ran.append(" ".join(argv))
            self.active = False
            return 0, "", ""
        words = [word for word in argv[1:] if not word.startswith("--")]
        if words[:2] == ["endpoint", "health"]:
            rows = [{"endpoint": f"https://{MEMBERS[name]}:2379", "health": name in self.alive} for name in MEMBERS]
            return 1, json.dumps(rows), ""
        if words[:2] == ["endpoint", "status"]:
            ids = {name: number for number, name in (self.cluster or {}).items()}
            return 0, json.dumps([self.status(name, ids) for name in MEMBERS if name in self.alive]), ""
        if self.cluster is None:
            return 1, "", "context deadline exceeded"
        if words[:2] == ["member", "list"]:
            return 0, json.dumps({"members": [self.member(number) for number in self.cluster]}), ""
        if self.refusals:
            self.refusals -= 1
            return 1, "", "etcdserver: unhealthy cluster"
        self.ran.append(" ".join(words))
        if words[1] == "remove":
            del self.cluster[int(words[2], 16)]
            return 0, "{}", ""
        number = max(self.cluster) + 16
        self.cluster[number] = words[2]
        members = [self.member(each) for each in self.cluster]
        return 0, json.dumps({"member": members[-1], "members": members}), ""

    def member(self, number):
        name = self.cluster[number]
        return {"ID": number, "name": name if name in self.alive else "", "peerURLs": [f"https://{MEMBERS[name]}:2380"]}

    @staticmethod
    def status(name, ids):
        status = {"header": {"member_id": ids[name]}, "leader": ids["db1"], "version": "3.5.16", "dbSize": 20480}
        return {"Endpoint": f"https://{MEMBERS[name]}:2379", "Status": status}


@pytest.fixture
def voter(tmp_path, monkeypatch):
    found = Voter()
    monkeypatch.setattr(client, "DATA", str(tmp_path / "etcd"))
    monkeypatch.setattr(client, "ADMISSION", str(tmp_path / "state" / "admission"))
    monkeypatch.setattr(runner, "STATE", str(tmp_path))
    for module in (etcd_cluster, etcd_cluster_info):
        monkeypatch.setattr(module, "System", lambda: found)
    return found


@pytest.fixture
def call(capsys):
    def run(module, check_mode=False, **options):
        given = {**OPTIONS, **options, "_ansible_check_mode": check_mode}
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run


def admission(tmp_path):
    return (tmp_path / "state" / "admission").read_text().splitlines()[1:]


def data(tmp_path, content=b"..clusterVersion.."):
    (tmp_path / "etcd/member/wal").mkdir(parents=True)
    (tmp_path / "etcd/member/snap").mkdir()
    (tmp_path / "etcd/member/snap/db").write_bytes(content)


def test_a_new_cluster(voter, call, tmp_path):
    found = dict.fromkeys(MEMBERS, False)
    assert call(etcd_cluster, check_mode=True, found=found)["changed"]
    assert not (tmp_path / "state").exists()
    answer = call(etcd_cluster, found=found)
    assert answer["changed"]
    assert answer["voter"] == {"data": False, "running": False, "quorum": False}
    assert admission(tmp_path) == [
        "ETCD_INITIAL_CLUSTER=db1=https://10.0.0.1:2380,db2=https://10.0.0.2:2380,ops1=https://10.0.0.3:2380",
        "ETCD_INITIAL_CLUSTER_STATE=new",
    ]
    assert not call(etcd_cluster, found=found)["changed"]


def test_a_voter_that_lost_its_data(voter, call, tmp_path):
    voter.cluster, voter.alive, voter.active = {1: "db1", 2: "db2", 3: "ops1"}, {"db1", "db2"}, True
    voter.refusals = 1
    (tmp_path / "etcd/member").mkdir(parents=True)
    answer = call(etcd_cluster, found={"db1": True, "db2": True, "ops1": False})
    assert voter.ran == ["pause", "member remove 3", "systemctl stop etcd.service", "member add ops1"]
    assert answer["voter"]["quorum"]
    assert admission(tmp_path)[1] == "ETCD_INITIAL_CLUSTER_STATE=existing"
    assert "ops1=https://10.0.0.3:2380" in admission(tmp_path)[0]
    assert [path.name for path in tmp_path.glob("etcd-*/*")] == ["member"]
    assert not call(etcd_cluster, found={"db1": True, "db2": True, "ops1": False})["changed"]


def test_no_majority(voter, call):
    answer = call(etcd_cluster, found={"db1": True, "db2": True, "ops1": False})
    assert answer["failed"]
    assert "ops1 has no data and no majority of etcd answers, but db1, db2 have data" in answer["msg"]


def test_a_voter_just_restarted_gets_time(voter, call, tmp_path):
    voter.cluster, voter.alive, voter.active = {1: "db1", 2: "db2", 3: "ops1"}, {"db1", "db2"}, True
    data(tmp_path)
    voter.pause = lambda seconds: voter.alive.add("ops1")
    assert call(etcd_cluster, found=dict.fromkeys(MEMBERS, True))["voter"]["quorum"]
    assert "ops1" in voter.alive


def test_info_of_a_bare_host(voter, call):
    answer = call(etcd_cluster_info)
    assert answer["voter"] == {"name": "ops1", "data": False, "voted": False, "running": False}
    assert answer["members"] == {}
    assert {control["state"] for control in answer["controls"] if control["id"] in ("etcd.members", "etcd.health")} == {
        "fail"
    }


@pytest.mark.parametrize(("content", "voted"), [(b"..clusterVersion..", True), (b"....", False)])
def test_info_tells_who_voted(voter, call, tmp_path, content, voted):
    data(tmp_path, content)
    assert call(etcd_cluster_info)["voter"]["voted"] is voted


def test_info_of_a_whole_cluster(voter, call, tmp_path):
    voter.cluster, voter.alive, voter.active = {1: "db1", 2: "db2", 3: "ops1"}, set(MEMBERS), True
    data(tmp_path)
    answer = call(etcd_cluster_info)
    assert {control["state"] for control in answer["controls"]} == {"pass"}
    assert sorted(answer["members"]) == ["db1", "db2", "ops1"]
    assert answer["statuses"]["db2"]["db_bytes"] == 20480


def test_info_names_who_is_lost(voter, call, tmp_path):
    voter.cluster, voter.alive = {1: "db1", 2: "db2", 3: "ops1"}, {"db1", "ops1"}
    (lost,) = [control for control in call(etcd_cluster_info)["controls"] if control["id"] == "etcd.health"]
    assert (lost["state"], lost["observed"]) == ("fail", ["db1", "ops1"])
