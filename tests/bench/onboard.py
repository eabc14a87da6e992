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


def main(inventory: str) -> None:
    """Measure RUNS times, print medians."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.json"
        onboard, ping = [], []
        for _run in range(RUNS):
            ping.append(timed("ansible", "-i", inventory, "all", "-m", "ansible.builtin.ping"))
            onboard.append(timed("ansible-playbook", "-i", inventory, "retailerp.estate.onboard", record=record))
        run = json.loads(record.read_text())
    changed = sum(row["changed"] for row in run["stats"].values())
    if changed:
        sys.exit(f"the estate was not converged: {changed} changes; run onboard first")
    seconds, empty = statistics.median(onboard), statistics.median(ping)
    hosts = [host for host in run["stats"] if host != "localhost"]
    print(f"no-change onboard, median of {RUNS}: {seconds:.1f} s; a host: {seconds / len(hosts):.1f} s")
    print(f"one empty task on every host: {empty:.1f} s; ratio {seconds / empty:.1f}")
    for host in hosts:
        row = run["stats"][host]
        print(f"  {host:10} {row['ok'] + row['skipped']:4} tasks ({row['skipped']} skipped)")
    for play in run["plays"]:
        if play["seconds"] >= 1:
            print(f"  {play['seconds']:6.1f} s  {play['name']}")


if __name__ == "__main__":
    main(sys.argv[1])
