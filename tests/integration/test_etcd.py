# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The voters of etcd lose processes, data and each other; what a majority holds is never lost, nobody votes twice."""

from __future__ import annotations

import subprocess

import pytest

DATA = "/var/lib/etcd/default"
TLS = "/etc/estate/tls/etcd"
SEEN = f"--cacert {TLS}/ca.pem --cert {TLS}/cert.pem --key {TLS}/key.pem"


class Voters:
    """The voters of the lab and what is done to them."""

    def __init__(self, lab, waiting):
        self.lab, self.waiting, self.names = lab, waiting, lab.group("etcd")
        self.plan = lab.plan()["hosts"][self.names[0]]["etcd"]

    def url(self, name):
        return f"https://{self.plan['members'][name]}:{self.plan['client_port']}"

    def ctl(self, host, words, files=SEEN):
        """What etcdctl prints on a host that asks its own voter."""
        return self.lab.ssh(host, f"etcdctl --endpoints {self.url(host)} {files} {words} 2>&1", check=False).strip()

    def whole(self):
        """Wait until every voter takes part."""
        healthy = "endpoint health --cluster"
        self.waiting("a whole cluster", lambda: self.ctl(self.names[0], healthy).count("is healthy") == len(self.names))

    def ids(self):
        """Member id by name."""
        rows = [row.split(", ") for row in self.ctl(self.names[0], "member list").splitlines()]
        return {row[2]: row[0] for row in rows}

    def leader(self):
        """The voter that leads."""
        rows = self.ctl(self.names[0], "endpoint status --cluster --write-out simple").splitlines()
        found = [row.split(", ")[1] for row in rows if row.split(", ")[4] == "true"]
        return next((name for name, id in self.ids().items() if id in found), None)

    def primary(self):
        """The host whose PostgreSQL leads, as Patroni wrote it down."""
        return self.ctl(self.names[0], f"get /estate/{self.lab.spec()['id']}/leader --print-value-only")

    def pid(self, host):
        return self.lab.ssh(host, "systemctl show -P MainPID etcd").strip()

    def state(self, host):
        return self.lab.ssh(host, "systemctl is-active etcd", check=False).strip()

    def lose(self, host):
        """The voter's data is gone and its process with it; a copy lies beside."""
        self.lab.ssh(host, f"mv {DATA} {DATA}.test && systemctl kill --signal KILL etcd")

    def give_back(self, host):
        self.lab.ssh(host, f"rm -rf {DATA} && mv {DATA}.test {DATA}")


@pytest.fixture(scope="module")
def voters(lab, waiting):
    if not lab.group("etcd"):
        pytest.skip("PostgreSQL streams here: nobody votes")
    found = Voters(lab, waiting)
    found.whole()
    assert found.ctl(found.names[0], "put estate-test kept") == "OK"
    yield found
    found.whole()
    found.ctl(found.names[0], "del estate-test")
    for host in found.names:
        lab.ssh(host, f"rm -rf {DATA}.test {DATA}-*")


def test_only_the_private_address_and_only_with_a_certificate(voters):
    for host in voters.names:
        listening = voters.lab.ssh(host, "ss -Hltnp | grep etcd | awk '{print $4}'").split()
        address = voters.plan["members"][host]
        assert sorted(listening) == [f"{address}:{voters.plan[port]}" for port in ("client_port", "peer_port")]
        assert "kept" not in voters.ctl(host, "get estate-test", f"--cacert {TLS}/ca.pem")


def test_a_host_that_is_neither_voter_nor_database_reaches_nothing(voters):
    stranger = voters.lab.group("app")[0]
    address = voters.plan["members"][voters.names[0]]
    for port in (voters.plan["client_port"], voters.plan["peer_port"]):
        command = f"timeout 3 bash -c '</dev/tcp/{address}/{port}' && echo open || true"
        assert voters.lab.ssh(stranger, command).strip() == ""


def test_the_witness_holds_no_data(voters):
    for host in set(voters.names) - set(voters.lab.group("db")):
        assert voters.lab.ssh(host, "ls /var/lib/postgresql 2>/dev/null", check=False) == ""


def test_the_host_of_the_primary_does_not_lead_the_voters_for_long(voters):
    """A lost host that led both would cost a whole ttl more."""
    with_data = [host for host in voters.names if host in voters.lab.group("db")]
    if voters.primary() not in with_data:
        voters.lab.playbook("switchover", "-e", f"target={with_data[0]}")
    primary = voters.primary()
    voters.waiting("another leads", lambda: voters.leader() != primary, 30)
    moved = [voters.ctl(host, f"move-leader {voters.ids()[primary]}") for host in voters.names]
    assert any("Leadership transferred" in said for said in moved), moved
    voters.waiting("another leads again", lambda: voters.leader() not in (None, primary), 15)
    assert voters.leader() not in with_data, "one without data, when it is there"


@pytest.mark.drill
def test_a_killed_voter_comes_back_by_itself(voters):
    host = voters.names[1]
    before = voters.pid(host)
    voters.lab.ssh(host, f"kill -9 {before}")
    voters.waiting("another process", lambda: voters.pid(host) not in ("0", before))
    voters.whole()
    assert voters.ctl(host, "get estate-test --print-value-only") == "kept"


@pytest.mark.drill
def test_a_voter_that_lost_its_data_is_another_member(voters):
    host, before = voters.names[-1], voters.ids()
    voters.lose(host)
    voters.waiting("it stays down, whatever systemd tries", lambda: voters.state(host) == "inactive")
    run = voters.lab.playbook("etcd", "--diff")
    assert f"etcd member {host} (delete)" in run.output
    after = voters.ids()
    assert set(after) == set(before)
    assert {name for name in after if after[name] != before[name]} == {host}
    assert voters.ctl(host, "get estate-test --print-value-only") == "kept"
    assert voters.lab.playbook("etcd").changed_tasks() == []


@pytest.mark.drill
def test_two_voters_that_lost_their_data_are_refused_by_name(voters):
    lost, left = voters.names[:2], voters.names[2]
    for host in lost:
        voters.lab.ssh(host, f"rm -rf {DATA}.test")
        voters.lose(host)
    run = voters.lab.playbook("etcd", check=False)
    assert run.code
    assert f"{lost[0]} has no data and no majority of etcd answers, but {left} has data" in " ".join(run.output.split())
    for host in lost:
        voters.give_back(host)
    voters.lab.playbook("etcd")
    voters.whole()
    assert voters.ctl(left, "get estate-test --print-value-only") == "kept"


@pytest.mark.drill
def test_a_new_certificate_is_taken_by_one_voter(voters):
    pids = {host: voters.pid(host) for host in voters.names}
    host = voters.names[0]
    voters.lab.ssh(host, f"rm {TLS}/cert.pem")
    voters.lab.playbook("etcd")
    assert {name for name in voters.names if voters.pid(name) != pids[name]} == {host}
    voters.whole()


@pytest.mark.drill
def test_a_host_that_is_off_leaves_a_majority(voters):
    host = voters.names[-1]
    subprocess.run(["docker", "stop", "--time", "0", f"estate-lab-{host}"], check=True, capture_output=True, timeout=60)
    try:
        first = voters.names[0]
        assert voters.waiting("a write", lambda: voters.ctl(first, "put estate-test kept") == "OK")
    finally:
        subprocess.run(["docker", "start", f"estate-lab-{host}"], check=True, capture_output=True, timeout=60)
    voters.whole()
