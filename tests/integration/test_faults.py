# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts restart, runs are killed: the estate heals without a manual step. Slow: only make test-all runs these."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

pytestmark = pytest.mark.drill

# The words of a task's name at which a run is killed: one in each tier, in the middle of what it does.
KILL_AT = ("firewall", "PostgreSQL", "Redis", "release", "Traefik")


def healthy(lab):
    """The whole estate answers, and verify has nothing to name."""
    page = lab.get(f"https://{lab.spec()['domain']}/web/login")
    return page.status_code == 200


def restart(lab, *hosts):
    """Restart hosts as a power cut would: all at the same moment, without asking."""
    names = [f"estate-lab-{host}" for host in hosts]
    subprocess.run(["docker", "restart", "--time", "5", *names], check=True, capture_output=True, timeout=300)


def test_every_host_restarts_one_after_another_and_then_all_at_once(lab, waiting):
    for host in lab.hosts:
        restart(lab, host)
        waiting(f"the estate after {host} restarted", lambda: healthy(lab), timeout=180, every=2)
    restart(lab, *lab.hosts)
    waiting("the estate after all hosts restarted", lambda: healthy(lab), timeout=240, every=2)
    waiting("verify after all hosts restarted", lambda: lab.playbook("verify"), timeout=300, every=5)
    assert lab.playbook("onboard").changed_tasks() == []


def killed_run(lab, words: str) -> bool:
    """Start an onboard run and kill it, with all its children, half a second into the task that these words name."""
    command = ["ansible-playbook", "-i", lab.inventory, "retailerp.estate.onboard"]
    run = subprocess.Popen(
        command,
        cwd=lab.root,
        env=lab.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    for line in run.stdout:
        if line.startswith("TASK [") and words.lower() in line.lower():
            time.sleep(0.5)
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            return True
    run.wait()
    return False


def test_a_run_killed_at_five_points_is_finished_by_the_next(lab):
    lab.ssh(lab.group("cache")[0], "rm -f /etc/redis/redis.conf")
    for group in ("app", "edge"):
        lab.remove_containers(lab.group(group)[0])
    killed = [words for words in KILL_AT if killed_run(lab, words)]
    assert killed == list(KILL_AT)
    lab.playbook("onboard")
    assert lab.playbook("onboard", "--check").changed_tasks() == []
    assert lab.playbook("verify").code == 0
