# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets lie where they must and nowhere else: the estate's own secrets are the canaries, searched everywhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.retailerp.estate.tests.watcher import DECOY_S, Watcher, decoys

# What makes one run write every secret and certificate anew: each crosses the wire, the modules and the diffs.
PASSWORDS = ("application", "reporting", "audit", "replication", "monitor")
ROLES = "; ".join(f"alter role {{id}}_{name} password 'x'" for name in PASSWORDS)
ODOO = "update res_users set password = null where id = 2; update auth_oauth_provider set client_secret = 'x'"
FORGET = {
    "cache": "systemctl stop redis-server; rm -f /etc/redis/users.acl /etc/estate/tls/*/cert.pem",
    "db": "rm -f /etc/postgresql/*/main/replication.pgpass /etc/estate/tls/*/cert.pem",
    "app": "rm -rf /etc/estate/odoo/*",
    "edge": "rm -rf /etc/estate/traefik*/*",
}
# Where a secret must lie in the open, and who may read it there. Redis and PostgreSQL keep hashes.
LIE = {
    ("app", "/etc/estate/odoo/RELEASE/odoo.conf", "400 101"),
    ("db", "/etc/postgresql/17/main/replication.pgpass", "600 postgres"),
    ("edge", "/etc/estate/traefik-dynamic/secrets.yml", "400 65532"),
}
WRITES = {
    "Certificate of Redis",
    "Configuration, users and sandbox of Redis",
    "Certificate of PostgreSQL",
    "Configuration of PostgreSQL",
    "Roles, database, grants and slots",
    "Files of the release",
    "Odoo's modules and administrator (the first installation takes a few minutes, an hour at most)",
    "Configuration of Traefik",
    "Let the tenant's people sign in, with the roles Entra assigns",
}
STOP = "/run/canary-stop"
SEEN = 0.9  # of the decoys on each host, at least
INSPECT = """
for c in engine.containers.list(all=True): print(c.attrs)
for i in engine.images.list(): print(i.attrs, i.history())
"""


@pytest.fixture(scope="module")
def canaries(lab):
    """Every secret of the estate that is a word (keys are PEM files: their first line of base64 stands for them)."""
    words = {}
    for name, value in lab.secrets().items():
        lines = value.strip().splitlines()
        if name != "ca_certificate":
            words[name] = lines[0] if len(lines) == 1 else lines[1]
    return words


@pytest.fixture(scope="module")
def loud_run(lab, canaries):
    """A run at -vvv with diffs that writes every secret; the hosts; what was seen in arguments; the decoys started."""
    hosts = [host for host in lab.hosts if host not in lab.group("ops")]
    for host in hosts:
        lab.ssh(host, f"rm -f {STOP}; umask 077; cat >/run/canary", stdin="\n".join(canaries.values()) + "\n")
    loops = ThreadPoolExecutor(len(hosts) + 1)
    with Watcher(canaries) as watcher, loops as pool, tempfile.TemporaryDirectory() as here:
        stop = Path(here) / "stop"
        started = {host: pool.submit(lab.ssh, host, decoys(host, STOP), timeout=1800) for host in hosts}
        started["controller"] = pool.submit(lab.local, decoys("controller", str(stop)), timeout=1800)
        try:
            name = lab.spec()["id"]
            for database, statements in {"postgres": ROLES.format(id=name), name: ODOO}.items():
                lab.ssh(lab.group("db")[0], f"sudo -u postgres psql -qd {database} -c {shlex.quote(statements)}")
            for group, command in FORGET.items():
                for host in lab.group(group):
                    lab.ssh(host, command)
            for group in ("app", "edge"):
                lab.remove_containers(lab.group(group)[0])
            run = lab.playbook("onboard", "--diff", "-vvv")
        finally:
            stop.touch()
            for host in hosts:
                lab.ssh(host, f"touch {STOP}")
        bait = {place: {int(number) for number in loop.result().split()} for place, loop in started.items()}
        seen = watcher.stop()
    yield run, hosts, seen, bait
    for host in hosts:
        lab.ssh(host, f"rm -f /run/canary {STOP}")


def test_the_run_wrote_secrets_and_printed_none(canaries, loud_run):
    run = loud_run[0]
    changed = {task.partition(" : ")[2] for _host, task in run.changed_tasks()}
    assert changed >= WRITES
    assert [name for name, word in canaries.items() if word in run.output] == []


def test_no_process_had_a_secret_in_its_arguments(loud_run):
    """On hosts, in containers and on the controller, as far as a sample tells.

    Nearly all of the decoys were seen, so a process that lives for DECOY_S or longer would have been; one that lives
    for a fraction of that may pass. What each host holds in files, logs and environments is searched whole, below.
    """
    _run, hosts, seen, bait = loud_run
    assert bait.keys() == {*hosts, "controller"}
    share = {place: len(bait[place] & set(seen.decoys.get(place, []))) / len(bait[place]) for place in bait}
    assert {place: part for place, part in share.items() if part < SEEN} == {}, f"decoys of {DECOY_S} s pass unseen"
    assert min(map(len, bait.values())) >= 20
    assert seen.words == {}


def test_logs_and_journals_hold_no_secret(lab, loud_run):
    for host in loud_run[1]:
        assert lab.ssh(host, "journalctl -o cat --no-pager | grep -acFf /run/canary || true").strip() == "0", host
        assert lab.ssh(host, "grep -rlaFf /run/canary /var/log || true").strip() == "", host


def test_docker_inspect_holds_no_secret(lab, canaries, loud_run):
    for host in {*lab.group("edge"), *lab.group("app")}:
        shown = lab.docker(host, INSPECT)
        assert "Config" in shown
        assert [name for name, word in canaries.items() if word in shown] == [], host


def test_files_with_secrets_are_those_that_must_have_them_for_those_that_must_read_them(lab, loud_run):
    """PostgreSQL's own files aside: Odoo keeps the client secret in its database."""
    found = set()
    for host in loud_run[1]:
        group = next(group for group in FORGET if host in lab.group(group))
        places = "/etc /opt /root /home /tmp /var/tmp /var/backups /run"
        places += " $(find /var/lib -mindepth 1 -maxdepth 1 ! -name postgresql)"
        hits = f"grep -rlaFf /run/canary {places} --exclude-dir=overlay2 --exclude=canary"
        for path in lab.ssh(host, f"{hits} 2>/dev/null || true").split():
            owner = "%U" if group == "db" else "%u"  # a container's user has no name on its host
            seen = lab.ssh(host, f"stat -c '%a {owner}' {path}").strip()
            found.add((group, re.sub("/[0-9a-f]{16}/", "/RELEASE/", path), seen))
    assert found == LIE


def test_the_servers_data_is_for_itself(lab, loud_run):
    for host in lab.group("db"):
        open_ones = lab.ssh(host, "find /var/lib/postgresql/*/main -maxdepth 0 -perm /077")
        assert open_ones == "", host


def test_no_environment_of_a_process_holds_a_secret(lab, loud_run):
    for host in loud_run[1]:
        hits = lab.ssh(host, "grep -laFf /run/canary /proc/[0-9]*/environ 2>/dev/null || true")
        assert hits.strip() == "", host


def test_the_controllers_files_hold_no_open_secret(lab, canaries):
    words = [option for word in canaries.values() for option in ("-e", word)]
    command = ["git", "grep", "-lF", *words]
    tracked = subprocess.run(command, cwd=lab.inventory, capture_output=True, text=True, check=False)
    assert tracked.stdout == ""
    vault = (lab.inventory / "group_vars/all/vault.yml").read_text()
    assert [name for name, word in canaries.items() if word in vault] == []
