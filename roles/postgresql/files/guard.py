# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs before PostgreSQL starts: a primary that another one has replaced never comes up writable.

A member that would start as primary asks every other member over TLS, as the replication role, for its timeline. It
starts when all of them answered and none is primary or on a later timeline; otherwise this program fails, and systemd
tries again. A run of the collection that has seen all members over SSH leaves a permit: a bare estate can begin.

usage: guard.py FILE, in JSON: data, controldata, peers (address by name), port, user, passfile, ca_file,
permit, fence
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ANSWER_S = 5
PATIENCE_S = 20
"""systemd starts the unit anew after that, so a boot of all hosts at once needs no more."""
PERMIT_S = 300
QUESTION = "IDENTIFY_SYSTEM; SHOW in_hot_standby;"


def decide(own: dict, answers: dict) -> tuple[str, list[str]]:
    """("start" | "wait" | "refuse", reasons). own: system, timeline; answers: these and standby, or an error."""
    known = {name: answer for name, answer in answers.items() if isinstance(answer, dict)}
    refused = []
    for name, answer in sorted(known.items()):
        if answer["system"] != own["system"]:
            refused.append(f"{name} is another cluster (system {answer['system']})")
        elif not answer["standby"]:
            refused.append(f"{name} is primary on timeline {answer['timeline']}")
        elif answer["timeline"] > own["timeline"]:
            refused.append(f"{name} is on timeline {answer['timeline']}, later than our {own['timeline']}")
    if refused:
        return "refuse", [*refused, "bring this member back by the playbook rejoin"]
    silent = [f"{name} does not answer: {answer}" for name, answer in sorted(answers.items()) if name not in known]
    return ("wait", silent) if silent else ("start", [])


def own_state(settings: dict) -> dict:
    """This member's system identifier and timeline, by its control file."""
    command = [settings["controldata"], "-D", settings["data"]]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={"LC_ALL": "C"}).stdout
    found = dict(re.findall(r"^([^:]+):\s+(.*)$", said, re.MULTILINE))
    # A primary that was promoted and died before its first checkpoint is on the timeline of its newest history file.
    begun = [int(name[:8], 16) for name in os.listdir(f"{settings['data']}/pg_wal") if name.endswith(".history")]
    timeline = max([int(found["Latest checkpoint's TimeLineID"]), *begun])
    return {"system": found["Database system identifier"], "timeline": timeline}


def ask(settings: dict, name: str, address: str) -> dict | str:
    """One member's answer, or why there is none."""
    conninfo = (
        f"host={name} hostaddr={address} port={settings['port']} user={settings['user']} replication=true "
        f"passfile={settings['passfile']} sslmode=verify-full sslrootcert={settings['ca_file']} "
        f"connect_timeout={ANSWER_S}"
    )
    # The password's file is readable by postgres alone, and libpq insists on that.
    command = ["runuser", "-u", "postgres", "--", "psql", "-XqAt", "-d", conninfo]
    try:
        done = subprocess.run(
            command, input=QUESTION, capture_output=True, text=True, check=False, timeout=2 * ANSWER_S, cwd="/"
        )
    except subprocess.TimeoutExpired:
        return "no answer in time"
    lines = done.stdout.split()
    if done.returncode or len(lines) != 2:
        return " ".join(done.stderr.split())[-300:]
    system, timeline = lines[0].split("|")[:2]
    return {"system": system, "timeline": int(timeline), "standby": lines[1] == "on"}


def permitted(path: str) -> bool:
    """Whether a run left its permit just now."""
    try:
        return 0 <= time.time() - os.stat(path).st_mtime < PERMIT_S
    except OSError:
        return False


def fenced(settings: dict) -> bool:
    """Whether a switchover or failover keeps the server down."""
    return os.path.exists(settings["fence"])


def main(path: str) -> int:
    """Exit code 0: PostgreSQL may start."""
    with open(path, encoding="utf-8") as file:
        settings = json.load(file)
    if os.path.exists(os.path.join(settings["data"], "standby.signal")):
        return 0
    end = time.monotonic() + PATIENCE_S
    while not fenced(settings) and not permitted(settings["permit"]):
        with ThreadPoolExecutor() as pool:
            asked = {name: pool.submit(ask, settings, name, address) for name, address in settings["peers"].items()}
        verdict, reasons = decide(own_state(settings), {name: answer.result() for name, answer in asked.items()})
        if verdict == "start":
            break
        if verdict == "refuse" or time.monotonic() > end:
            print("PostgreSQL is not started as primary: " + "; ".join(reasons), file=sys.stderr)
            return 1
        time.sleep(1)
    # A fence that was set meanwhile: the unit's condition was looked at before this program.
    if fenced(settings):
        print("PostgreSQL is not started: it was fenced", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
