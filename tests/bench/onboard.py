# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run with nothing to do costs: seconds and tasks a host, by phase, on the lab that is up.

The ratio to one empty task on every host, measured in the same minute, is what compares between machines.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 3


def timed(*command: str, record: Path | None = None) -> float:
    """Seconds a command takes; it must succeed."""
    env = {**os.environ, **({"ESTATE_RECORD": str(record)} if record else {})}
    start = time.monotonic()
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def measure(inventory: str, playbook: str, empty: float) -> None:
    """Run a playbook RUNS times and print what it takes; it must have nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.json"
        command = ("ansible-playbook", "-i", inventory, f"retailerp.estate.{playbook}")
        seconds = statistics.median(timed(*command, record=record) for _run in range(RUNS))
        run = json.loads(record.read_text())
    if changed := sum(row["changed"] for row in run["stats"].values()):
        sys.exit(f"the estate was not converged: {changed} changes; run onboard first")
    # The plan is made for all hosts, on the controller.
    plays = [play for play in run["plays"] if play["name"] != "Plan"]
    hosts = sorted({host for play in plays for task in play["tasks"] for host in task["hosts"]})
    print(f"no-change {playbook}, median of {RUNS}: {seconds:.1f} s; a host: {seconds / len(hosts):.1f} s")
    print(f"  ratio to one empty task on every host: {seconds / empty:.1f}")
    for host in hosts:
        row = run["stats"][host]
        print(f"  {host:10} {row['ok'] + row['skipped']:4} tasks ({row['skipped']} skipped)")
    for play in run["plays"]:
        if play["seconds"] >= 1:
            print(f"  {play['seconds']:6.1f} s  {play['name']}")


def main(inventory: str) -> None:
    """The whole estate, then the data tier alone."""
    empty = statistics.median(
        timed("ansible", "-i", inventory, "all", "-m", "ansible.builtin.ping") for _run in range(RUNS)
    )
    print(f"one empty task on every host: {empty:.1f} s")
    for playbook in ("onboard", "data"):
        measure(inventory, playbook, empty)


if __name__ == "__main__":
    main(sys.argv[1])
