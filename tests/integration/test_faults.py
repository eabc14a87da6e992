# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts lose power, runs are killed: the estate heals without a manual step. The longer drills run in make test-all."""

from __future__ import annotations

import subprocess

import pytest

POSTGRESQL = "echo '# drift' | tee -a /etc/postgresql/*/main/conf.d/estate.conf"
# One kill in each tier, in the middle of the task that does the tier's work; and what gives that task work to do.
KILL_AT = {
    "docker_host : Firewall and SSH": ("cache", "echo '# drift' >> /etc/ssh/sshd_config.d/00-estate.conf"),
    "postgresql : Configuration of PostgreSQL": ("db", POSTGRESQL),
    "redis : Configuration, users": ("cache", "rm -f /etc/redis/redis.conf"),
    "odoo : Containers of the release": ("app", None),
    "traefik : Container of Traefik": ("edge", None),
}


def cut_power(*hosts):
    """Kill every process of hosts in an instant, all hosts before the first starts again: nobody is asked to stop.

    What was written and not yet synced to disk outlives this, as the kernel is the lab machine's and goes on.
    """
    names = [f"estate-lab-{host}" for host in hosts]
    for command in (["docker", "kill", "--signal", "KILL"], ["docker", "start"]):
        subprocess.run([*command, *names], check=True, capture_output=True, timeout=300)


def heals(lab, waiting, *hosts):
    """Cut the power of hosts, and wait until every control of the estate holds again."""
    cut_power(*hosts)
    waiting(f"verify after {hosts} lost power", lambda: lab.playbook("verify", timeout=300), timeout=420, every=5)


@pytest.mark.drill
def test_every_host_loses_power_one_after_another(lab, waiting):
    for host in lab.hosts:
        heals(lab, waiting, host)
    assert lab.playbook("onboard").changed_tasks() == []


def test_all_hosts_lose_power_at_once(lab, waiting):
    heals(lab, waiting, *lab.hosts)
    assert lab.playbook("onboard").changed_tasks() == []


def killed_run(lab, words: str, host: str) -> bool:
    """Start an onboard run; in the task that these words begin, kill the module at work on the host, then the run.

    Whether there was something to kill on the host. (Modules come through a pipe: nothing but "python3" names them.)
    """
    kill = "for i in $(seq 60); do pkill -KILL -fx '/usr/bin/python3[.0-9]*' && echo hit && exit; sleep 0.1; done"
    hits = []
    begun = f"TASK [retailerp.estate.{words}"
    lab.killed(begun, 1, "onboard", first=lambda: hits.append(lab.ssh(host, kill, check=False)))
    return hits == ["hit\n"]


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(["postgresql : Configuration of PostgreSQL", "odoo : Containers of the release"], id="two"),
        pytest.param(list(KILL_AT), id="five", marks=pytest.mark.drill),
    ],
)
def test_a_run_killed_at_several_points_is_finished_by_the_next(lab, points):
    for group, command in (KILL_AT[words] for words in points):
        host = lab.group(group)[0]
        if command:
            lab.ssh(host, command)
        else:
            lab.remove_containers(host)
    assert [words for words in points if not killed_run(lab, words, lab.group(KILL_AT[words][0])[0])] == []
    lab.playbook("onboard")
    assert lab.playbook("onboard", "--check").changed_tasks() == []
    lab.playbook("verify")
