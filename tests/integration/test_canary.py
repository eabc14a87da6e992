# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets lie where they must and nowhere else: the estate's own secrets are the canaries, searched everywhere."""

from __future__ import annotations

import subprocess
import threading

import pytest

# What makes a run write every secret anew, so that each crosses the wire, the modules and the diffs of one run.
PSQL = "sudo -u postgres psql -qc"
FORGET = {
    "cache": "rm -f /etc/redis/users.acl",
    "db": PSQL + " \"alter role {id}_application password 'x'; alter role {id}_owner password 'x'\"",
    "app": "rm -rf /etc/estate/odoo/*",
    "edge": "rm -rf /etc/estate/traefik/*",
}
SAMPLE = "for i in $(seq {times}); do [ -e /run/canary-stop ] && exit; {what}; sleep 0.3; done"
INSPECT = """
for c in engine.containers.list(all=True): print(c.attrs)
for i in engine.images.list(): print(i.attrs, i.history())
"""
ARGUMENTS = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -aFf /run/canary | sort -u"


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
    """A run at -vvv with diffs that writes every secret, and what was seen in argv on the hosts meanwhile."""
    hosts = [host for host in lab.hosts if host not in lab.group("ops")]
    for host in hosts:
        lab.ssh(host, "rm -f /run/canary-stop; umask 077; cat >/run/canary", stdin="\n".join(canaries.values()) + "\n")
    seen: dict[str, str] = {}

    def watch(host: str) -> None:
        command = SAMPLE.format(times=3000, what=ARGUMENTS)
        seen[host] = lab.ssh(host, command, check=False, timeout=1800)

    watchers = [threading.Thread(target=watch, args=(host,)) for host in hosts]
    for watcher in watchers:
        watcher.start()
    try:
        for group, command in FORGET.items():
            lab.ssh(lab.group(group)[0], command.format(id=lab.spec()["id"]))
        for group in ("app", "edge"):
            lab.remove_containers(lab.group(group)[0])
        run = lab.playbook("onboard", "--diff", "-vvv")
    finally:
        for host in hosts:
            lab.ssh(host, "touch /run/canary-stop")
        for watcher in watchers:
            watcher.join()
    yield run, seen
    for host in hosts:
        lab.ssh(host, "rm -f /run/canary /run/canary-stop")


def test_the_run_wrote_secrets_and_printed_none(canaries, loud_run):
    run, _seen = loud_run
    assert run.changed_tasks()
    assert [name for name, word in canaries.items() if word in run.output] == []


def test_no_process_had_a_secret_in_its_arguments(loud_run):
    _run, seen = loud_run
    assert {host for host, lines in seen.items() if lines.strip()} == set()


def test_logs_and_journals_hold_no_secret(lab, loud_run):
    for host in loud_run[1]:
        assert lab.ssh(host, "journalctl -o cat --no-pager | grep -acFf /run/canary || true").strip() == "0", host
        assert lab.ssh(host, "grep -rlaFf /run/canary /var/log || true").strip() == "", host


def test_docker_inspect_holds_no_secret(lab, canaries, loud_run):
    for host in {*lab.group("edge"), *lab.group("app")}:
        shown = lab.docker(host, INSPECT)
        assert "Config" in shown
        assert [name for name, word in canaries.items() if word in shown] == [], host


def test_files_with_secrets_are_read_by_their_owners_only(lab, loud_run):
    for host in loud_run[1]:
        found = lab.ssh(
            host, "grep -rlaFf /run/canary /etc /opt /root /home /tmp /var/tmp /var/lib --exclude-dir=overlay2 || true"
        )
        for path in found.split():
            mode = int(lab.ssh(host, f"stat -c %a {path}"), 8)
            assert mode & 0o007 == 0, f"{host}: {path} is {mode:o}"


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
