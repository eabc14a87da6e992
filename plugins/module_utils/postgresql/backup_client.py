# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgBackRest on this host, run as postgres by the configuration that the role wrote. Its secrets are in no argument."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import backup
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

PROGRAM = "/usr/bin/pgbackrest"
CONFIGURATION = "/etc/pgbackrest/pgbackrest.conf"
SECRETS = "/etc/pgbackrest/conf.d/secrets.conf"
UNIT = "estate-backup@{}.service"
READ_S = 120
CHECK_S = 300
DAY_S = 24 * 3600


def installed() -> bool:
    """Whether program and configuration are there; a bare host in check mode has neither."""
    return os.path.exists(PROGRAM) and os.path.exists(CONFIGURATION)


def call(stanza: str, command: str, *options: str, timeout_s: float = READ_S) -> tuple[int, str, str]:
    """Run one command of pgBackRest: its code, output and what it complained of."""
    argv = ["runuser", "-u", "postgres", "--", PROGRAM, f"--stanza={stanza}", *options, command]
    return System().run(argv, timeout_s=timeout_s)


def must(stanza: str, command: str, *options: str, timeout_s: float = READ_S) -> str:
    """The same; what fails is told in pgBackRest's words."""
    code, out, err = call(stanza, command, *options, timeout_s=timeout_s)
    if code:
        raise EstateError(f"pgbackrest {command}: {complaint(out, err)}", rc=code)
    return out


def complaint(out: str, err: str) -> str:
    """Its errors without time and process number, on one line."""
    lines = [line.partition("ERROR: ")[2] or line.partition("WARN: ")[2] or line for line in (err or out).splitlines()]
    return " ".join(" ".join(lines).split())[-1500:] or "failed without a word"


def account(stanza: str, stores: Sequence[int]) -> backup.Account:
    """What it says of the stanza; where it cannot be asked at all, each store says so."""
    if not installed():
        return backup.Account()
    code, out, err = call(stanza, "info", "--output=json")
    if code:
        said = complaint(out, err)
        return backup.Account(tuple(backup.Store(number, backup.OTHER, said) for number in stores))
    return backup.account(json.loads(out))


def back_up(kind: str) -> None:
    """Start the unit that the timers start, and wait for its end: one way to make a backup, with one log."""
    unit = UNIT.format(kind)
    System().run(["systemctl", "reset-failed", unit])
    code, _out, err = System().run(["systemctl", "start", unit], timeout_s=DAY_S)
    if code:
        _code, log, _err = System().run(["journalctl", "--unit", unit, "--lines", "12", "--output", "cat"])
        raise EstateError(f"{unit} failed: {' '.join(log.split())[-1500:] or err.strip()}")
