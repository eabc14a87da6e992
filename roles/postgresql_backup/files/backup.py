# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backs the cluster up to each of its stores. A store that cannot be reached does not keep the other from its backup.

usage: postgresql-backup CONFIGURATION full|diff|incr      (run by estate-backup@.service as the keeper)

Which member is the primary, and which standby can be read, pgBackRest asks the members each time; so a failover needs
no step here. Output goes to the journal.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

DAY = 24 * 3600
LATEST_FULL = 8 * DAY
"""A week and a day: a full backup that failed is made up for by the next one, whatever that was to be."""
LATEST = DAY + 4 * 3600
"""The same for the day's."""
AGAIN_S = 30
"""A primary that was just promoted is refused until its first checkpoint, and a store may be away for a moment."""
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}


def run(command: list[str]) -> tuple[int, str]:
    """Its code and what it printed; what it complains of goes to the journal."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=ENVIRONMENT)
    return done.returncode, done.stdout.strip()


def due(asked: str, number: int, found: list, now: float) -> str:
    """The type of backup that a store needs: what is asked for, or more where that failed before.

    found: pgBackRest's own account of a stanza (`info --output=json`).
    """
    backups = [
        backup
        for stanza in found
        for backup in stanza.get("backup", [])
        if backup["database"]["repo-key"] == number and not backup.get("error")
    ]
    fulls = [backup["timestamp"]["stop"] for backup in backups if backup["type"] == "full"]
    days = [backup["timestamp"]["stop"] for backup in backups if backup["type"] != "incr"]
    if not fulls or now - max(fulls) > LATEST_FULL:
        return "full"
    if asked == "incr" and now - max(days) > LATEST:
        return "diff"
    return asked


def version(told: str) -> tuple[int, ...]:
    """Of what `pgbackrest version` prints; the oldest where that cannot be read."""
    found = re.search(r"(\d+)\.(\d+)", told)
    return tuple(map(int, found.groups())) if found else (0, 0)


def words(known: tuple[int, ...], number: int, standby: bool, again: bool) -> list[str]:
    """The options that not every release has. Debian 12's 2.45 ends with an error where a newer one's are given.

    From a standby where one streams, otherwise from the primary: that is one option since 2.54. An older release fails
    where no standby streams, and reads the primary when it is tried again.
    """
    # Of large files only the blocks that changed are stored again.
    found = [f"--repo{number}-block"] if known >= (2, 46) else []
    if standby and known >= (2, 54):
        found.append("--backup-standby=prefer")
    elif standby and not again:
        found.append("--backup-standby")
    return found


def back_up(begin: list[str], number: int, asked: str, options: list[str]) -> bool:
    """Back up to one store, and say so; whether it went well."""
    code, told = run([*begin, f"--repo={number}", "--output=json", "info"])
    kind = due(asked, number, json.loads(told) if not code else [], time.time())
    print(f"store {number}: {kind} backup" + (f" in place of {asked}" if kind != asked else ""), flush=True)
    began = time.monotonic()
    code, _none = run([*begin, f"--repo={number}", f"--type={kind}", *options, "backup"])
    print(f"store {number}: {'failed' if code else 'done'} after {time.monotonic() - began:.0f} s", flush=True)
    return not code


def main() -> int:
    """Back up to each store; where that failed, once more."""
    settings, asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), sys.argv[2]
    folder = settings["configuration"]
    begin = ["pgbackrest", f"--config={folder}/pgbackrest.conf", f"--config-include-path={folder}/conf.d"]
    begin.append(f"--stanza={settings['stanza']}")
    known, failed = version(run(["pgbackrest", "version"])[1]), settings["repositories"]
    for again in (False, True):
        if again and failed:
            time.sleep(AGAIN_S)
        failed = [
            number
            for number in failed
            if not back_up(begin, number, asked, words(known, number, settings["standby"], again))
        ]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
