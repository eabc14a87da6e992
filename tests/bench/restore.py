# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `restore` adds to pgBackRest alone: the same backup copied by both, on the primary of a lab with backups.

usage: restore.py INVENTORY      (ESTATE_MB: how much is written before the backup, 512 by default)

Copies go beside the data that serves and are removed; nothing is put in place. What follows a copy, the replay, is the
server's own work in both.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import time

RUNS = 3
DATA = "/var/lib/postgresql/bench-restore"
STAGED = "rm -rf /var/lib/postgresql/*/main.estate-restore /var/lib/retailerp-estate/postgresql-restore.json"
#: Rows of random text, which compresses as little as pictures and documents do.
FILL = """CREATE TABLE estate_bench AS SELECT string_agg(md5(random()::text), '') AS noise
FROM generate_series(1, {megabytes} * 1024) AS number, generate_series(1, 32) GROUP BY number"""


class Primary:
    """The database host that takes writes."""

    def __init__(self, inventory: str) -> None:
        self._inventory = inventory
        listed = json.loads(self._run("ansible-inventory", "--list"))
        self.id = listed["_meta"]["hostvars"][listed["db"]["hosts"][0]]["estate_spec"]["id"]
        (self.name,) = [host for host in listed["db"]["hosts"] if self._takes_writes(host)]

    def _run(self, program: str, *words: str) -> str:
        done = subprocess.run(
            [program, "-i", self._inventory, *words], check=False, capture_output=True, text=True, timeout=3600
        )
        if done.returncode:
            sys.exit(f"{program} {' '.join(words)[:200]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def _takes_writes(self, host: str) -> bool:
        return self.shell("cd / && runuser -u postgres -- psql -XqAtc 'SELECT pg_is_in_recovery()'", host).endswith("f")

    def play(self, name: str, *words: str) -> None:
        """A playbook of the collection."""
        self._run("ansible-playbook", f"retailerp.estate.{name}", *words)

    def shell(self, command: str, host: str = "") -> str:
        """What a command prints on the host, as root."""
        told = self._run("ansible", host or self.name, "--become", "-m", "ansible.builtin.shell", "-a", command)
        return told.partition("\n")[2].strip()

    def sql(self, statement: str) -> str:
        """What a statement prints in the estate's database, as the superuser."""
        return self.shell(f"cd / && runuser -u postgres -- psql -XqAt -d {self.id} -c {shlex.quote(statement)}")

    def alone(self, label: str, processes: int) -> float:
        """Seconds that pgBackRest takes to copy a backup."""
        words = f"--stanza={self.id} --pg1-path={DATA} --process-max={processes} --type=immediate --set={label}"
        self.shell(f"rm -rf {DATA} && install -d -o postgres -g postgres -m 0700 {DATA}")
        took = self.shell(
            "began=$(date +%s.%N); cd / && runuser -u postgres -- pgbackrest --log-level-console=error "
            f"{words} restore && echo $began $(date +%s.%N)"
        )
        self.shell(f"rm -rf {DATA}")
        began, ended = map(float, took.split()[-2:])
        return ended - began

    def ours(self, label: str, processes: int) -> tuple[float, float]:
        """Seconds of the module's step, and of the whole call from the controller."""
        options = {"member": self.name, "stanza": self.id, "state": "staged", "to": label, "processes": processes}
        began = time.monotonic()
        told = self._run(
            "ansible", self.name, "--become", "-m", "retailerp.estate.postgresql_restore", "-a", json.dumps(options)
        )
        whole = time.monotonic() - began
        self.shell(STAGED)
        return float(re.search(r'"stage": ([0-9.]+)', told)[1]), whole


def main(inventory: str) -> None:
    """Write, back up, copy by both in turn."""
    primary, megabytes = Primary(inventory), int(os.environ.get("ESTATE_MB", "512"))
    primary.sql("DROP TABLE IF EXISTS estate_bench")
    primary.sql(FILL.format(megabytes=megabytes))
    try:
        primary.play("backup", "-e", "type=full")
        told = primary.shell(
            f"cd / && runuser -u postgres -- pgbackrest --stanza={primary.id} --repo=1 --output=json info"
        )
        label = json.loads(told)[0]["backup"][-1]["label"]
        # The first is everybody's, the second the archiver's.
        told = primary.shell("grep -m1 ^process-max= /etc/pgbackrest/pgbackrest.conf")
        processes = int(told.partition("=")[2])
        alone, ours, whole = [], [], []
        for _run in range(RUNS):
            alone.append(primary.alone(label, processes))
            one, call = primary.ours(label, processes)
            ours.append(one)
            whole.append(call)
    finally:
        primary.sql("DROP TABLE IF EXISTS estate_bench")
    by_itself = statistics.median(alone)
    print(f"{megabytes} MB more, median of {RUNS}: pgBackRest alone {by_itself:.1f} s")
    for what, seconds in (("restore's copy", ours), ("called from the controller", whole)):
        took = statistics.median(seconds)
        print(f"  {what} {took:.1f} s: {took / by_itself:.2f} times that")


if __name__ == "__main__":
    main(sys.argv[1])
