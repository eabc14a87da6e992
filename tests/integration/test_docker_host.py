# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker_host on real hosts: what containers reach, who reaches containers, and that this outlives every restart."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest

NAME = "estate-firewall-test"
IMAGE = f"{NAME}:latest"
# An image without content: the host's own /usr is mounted into it, so nothing has to be fetched.
START = f"""
import docker, io, json, sys, tarfile
options = json.load(sys.stdin)
client = docker.from_env()
store = io.BytesIO()
with tarfile.open(fileobj=store, mode="w") as tar:
    for name in ("bin", "lib", "lib64", "sbin"):
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, "usr/" + name
        tar.addfile(link)
client.api.import_image_from_data(store.getvalue(), repository="{NAME}", tag="latest")
if not client.networks.list(names=["^estate-firewall-test$"]):
    client.networks.create("{NAME}", driver="bridge")
taken = {{bound["PublicPort"] for one in client.api.containers() for bound in one["Ports"] if "PublicPort" in bound}}
port = next(port for port in options["ports"] if port not in taken)
client.containers.run(
    "{IMAGE}", ["/usr/bin/python3", "-m", "http.server", "8000", "--directory", "/usr/share/zoneinfo"],
    name="{NAME}", detach=True, network="{NAME}", ports={{"8000/tcp": (options["address"], port)}},
    volumes={{"/usr": {{"bind": "/usr", "mode": "ro"}}}}, restart_policy={{"Name": "unless-stopped"}},
)
print(port)
"""
STOP = f"""
import docker
client = docker.from_env()
for one in client.containers.list(all=True, filters={{"name": "^/{NAME}$"}}):
    one.remove(force=True)
for one in client.networks.list(names=["^{NAME}$"]):
    one.remove()
for one in client.images.list(name="{NAME}"):
    client.images.remove(one.id, force=True)
"""
# What a connection meets: "open", "closed" (an answer that nobody listens there), or the error's name.
CONNECT = """
import errno, socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=4).close()
    print("open")
except ConnectionRefusedError:
    print("closed")
except TimeoutError:
    print("silence")
except OSError as err:
    print(errno.errorcode.get(err.errno, str(err)))
"""
HALVES = """
import socket, sys
server = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=9)
server.sendall(b"GET /UTC HTTP/1.0\\r\\n")
print("asked", flush=True)
sys.stdin.readline()
server.sendall(b"\\r\\n")
print("answered" if server.makefile("rb").readline().endswith(b"200 OK\\r\\n") else "cut")
"""
EXEC = f"""
import docker, json, sys
done = docker.from_env().containers.get("{NAME}").exec_run(["/usr/bin/python3", "-c", *json.load(sys.stdin)])
print(done.output.decode().strip())
"""


def python(lab, host: str, program: str, stdin: str = "") -> str:
    """What a Python program prints as root on a host."""
    return lab.ssh(host, f"python3 -c {shlex.quote(program)}", stdin=stdin).strip()


def from_host(lab, host: str, address: str, port: int) -> str:
    """What a host meets at an address and port."""
    return lab.ssh(host, f"python3 -c {shlex.quote(CONNECT)} {address} {port}").strip()


def from_container(lab, host: str, address: str, port: int) -> str:
    """What the container on that host meets at an address and port."""
    return python(lab, host, EXEC, json.dumps([CONNECT, address, str(port)]))


@pytest.fixture(scope="module")
def plan(lab):
    """The fact `estate`."""
    return lab.plan()


@pytest.fixture
def published(lab, plan):
    """A container on the app host, published on a planned port that is idle: (host, address, port)."""
    host = lab.group("app")[0]
    address = plan["hosts"][host]["address"]
    (flow, *_others) = [flow for flow in plan["hosts"][host]["flows"]["in"] if flow["container"]]
    python(lab, host, STOP)
    port = int(python(lab, host, START, json.dumps({"address": address, "ports": flow["ports"]})))
    yield host, address, port
    python(lab, host, STOP)


def assert_walled(lab, plan, published) -> None:
    """Planned sources reach the container and no one else; the container reaches what is planned and nothing else."""
    host, address, port = published
    assert from_host(lab, lab.group("edge")[0], address, port) == "open"
    stranger = lab.group("cache")[0]
    assert from_host(lab, stranger, address, port) == "silence"
    database = plan["hosts"][lab.group("db")[0]]["address"]
    assert from_container(lab, host, database, 5432) in ("open", "closed")
    assert from_container(lab, host, database, 22) == "EHOSTUNREACH"
    assert from_container(lab, host, plan["hosts"][stranger]["address"], 22) == "EHOSTUNREACH"
    assert from_container(lab, host, address, 22) == "EHOSTUNREACH", "the container's own host"


def test_containers_are_walled_in_by_the_plan(lab, plan, published):
    assert_walled(lab, plan, published)


def test_a_planned_port_without_a_container_is_refused_at_once(lab, plan):
    """The slot of Odoo that is idle: a proxy that was left to time out there would keep people waiting."""
    app = lab.group("app")[0]
    ports = plan["hosts"][app]["odoo"]["slots"]
    met = [from_host(lab, lab.group("edge")[0], plan["hosts"][app]["address"], ports[slot]["web"]) for slot in "ab"]
    assert sorted(met) == ["closed", "open"]


def test_a_port_that_drains_goes_on_with_whom_it_has_and_refuses_the_rest_for_a_while(lab, published, waiting):
    """In one connection from the edge: the first half of a request before the port drains, the second half after."""
    host, address, port = published
    edge, drained = lab.group("edge")[0], f"'{{ {port} timeout 5s }}'"
    ask = subprocess.Popen(
        ["ssh", "-F", lab.root / ".lab/ssh_config", edge, f"python3 -c {shlex.quote(HALVES)} {address} {port}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert ask.stdout.readline() == "asked\n"
    lab.ssh(host, f"nft add element inet estate draining {drained}")
    assert from_host(lab, edge, address, port) == "closed"
    assert ask.communicate("go on\n", timeout=10)[0] == "answered\n"
    held = "nft -st list table inet estate | sha256sum --check --status /run/estate-firewall.sum && echo held"
    assert lab.ssh(host, held, check=False) == "held\n", "it is no change of the rules"
    waiting("its time is over", lambda: from_host(lab, edge, address, port) == "open", 10)


@pytest.mark.drill
@pytest.mark.parametrize("disturbance", ["systemctl reload estate-firewall", "systemctl restart docker"])
def test_the_wall_outlives(lab, plan, published, waiting, disturbance):
    host, address, port = published
    lab.ssh(host, disturbance)
    waiting("the container", lambda: from_host(lab, lab.group("edge")[0], address, port) == "open", 60)
    assert_walled(lab, plan, published)


def test_hosts_answer_planned_ports_only(lab, plan):
    for host in lab.group("cache") + lab.group("db"):
        address = plan["hosts"][host]["address"]
        stranger = lab.group("ops")[0]
        assert from_host(lab, stranger, address, 22) == "open"
        lab.ssh(host, "systemd-run --quiet --collect --unit=estate-firewall-test python3 -m http.server 7777")
        try:
            assert from_host(lab, stranger, address, 7777) == "silence"
        finally:
            lab.ssh(host, "systemctl stop estate-firewall-test")


def test_ssh_takes_keys_of_named_people_only(lab):
    for host in lab.hosts:
        told = dict(line.split(" ", 1) for line in lab.ssh(host, "sshd -T").splitlines() if " " in line)
        wanted = {
            "permitrootlogin": "no",
            "passwordauthentication": "no",
            "kbdinteractiveauthentication": "no",
            "maxauthtries": "4",
            "disableforwarding": "yes",
        }
        assert {key: told[key] for key in wanted} == wanted, host
        assert not [mac for mac in told["macs"].split(",") if "sha1" in mac or "umac-64" in mac], host


def test_drop_ins_of_others_lose_to_the_ssh_baseline(lab):
    host, other = lab.group("cache")[0], "/etc/ssh/sshd_config.d/05-aaa.conf"
    lab.ssh(host, f"echo 'PasswordAuthentication yes' >{other}")
    try:
        assert "passwordauthentication no" in lab.ssh(host, "sshd -T").splitlines()
        assert lab.playbook("hosts", "--limit", host, "--check").changed_tasks() == []
    finally:
        lab.ssh(host, f"rm -f {other}")


@pytest.mark.parametrize(
    ("override", "place"),
    [
        (
            "echo 'PasswordAuthentication yes' >/etc/ssh/sshd_config.d/00-aaa.conf",
            "/etc/ssh/sshd_config.d/00-aaa.conf:1:",
        ),
        ("sed -i '1i PermitRootLogin yes' /etc/ssh/sshd_config", "/etc/ssh/sshd_config:1:"),
        (
            "printf 'Match User root\\nPermitRootLogin yes\\n' >/etc/ssh/sshd_config.d/90-match.conf",
            "/etc/ssh/sshd_config.d/90-match.conf:2:",
        ),
    ],
    ids=["a drop-in before ours", "line 1 of the main file", "a Match block"],
)
def test_what_overrides_the_ssh_baseline_is_named_and_refused_and_nobody_is_locked_out(lab, override, place):
    host = lab.group("cache")[0]
    lab.playbook("hosts", "--limit", host)
    lab.ssh(host, f"cp -a /etc/ssh/sshd_config /etc/ssh/sshd_config.before; {override}")
    try:
        for playbook in ("verify", "hosts"):
            run = lab.playbook(playbook, "--limit", host, check=False)
            assert run.code != 0, playbook
            assert place in run.output, playbook
            assert "overrides" in run.output, playbook
        assert lab.ssh(host, "id -un") == "root\n"
    finally:
        mend = "mv -f /etc/ssh/sshd_config.before /etc/ssh/sshd_config; cd /etc/ssh/sshd_config.d"
        lab.ssh(host, f"{mend}; rm -f 00-aaa.conf 90-match.conf; systemctl reload ssh")
    assert lab.playbook("hosts", "--limit", host, "--check").changed_tasks() == []


def test_engines_are_held_and_have_no_tcp_socket(lab):
    for host in lab.group("docker_hosts"):
        assert "docker.io" in lab.ssh(host, "apt-mark showhold").split()
        told = json.loads(python(lab, host, "import docker, json; print(json.dumps(docker.from_env().info()))"))
        assert told["LiveRestoreEnabled"] is True
        assert "name=no-new-privileges" in told["SecurityOptions"]
        assert "dockerd" not in lab.ssh(host, "ss -Hltnp")


def test_a_second_run_changes_nothing_and_removing_a_rule_is_seen(lab):
    host = lab.group("cache")[0]
    lab.playbook("hosts", "--limit", host)
    assert lab.playbook("hosts", "--limit", host).stats("changed")[host] == 0
    lab.ssh(host, "sed -i '/comment \"ssh\"/d' /etc/estate/firewall.nft")
    seen = lab.playbook("hosts", "--limit", host, "--check", "--diff")
    assert [task for _host, task in seen.changed_tasks()] == [
        "retailerp.estate.docker_host : Firewall and SSH, put back by the host itself if they lock us out"
    ]
    assert '+\t\tip saddr { 10.77.0.0/24 } tcp dport 22 accept comment "ssh"' in seen.output
    assert lab.playbook("hosts", "--limit", host).stats("changed")[host] == 1


@pytest.mark.parametrize("accident", ["nft flush ruleset", "systemctl start nftables || nft delete table inet estate"])
def test_a_firewall_that_is_gone_from_the_kernel_is_seen_and_comes_back(lab, accident):
    host = lab.group("cache")[0]
    lab.playbook("hosts", "--limit", host)
    rules = lab.ssh(host, "nft -s list table inet estate")
    lab.ssh(host, accident)
    assert lab.ssh(host, "nft list table inet estate 2>&1 || true") != rules
    seen = lab.playbook("hosts", "--limit", host, "--check", "--diff")
    assert "active, enabled, but undone" in seen.output
    assert lab.playbook("hosts", "--limit", host).stats("changed")[host] == 1
    assert lab.ssh(host, "nft -s list table inet estate") == rules
    assert lab.playbook("hosts", "--limit", host, "--check").stats("changed")[host] == 0
