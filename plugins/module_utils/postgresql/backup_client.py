# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgBackRest on this host, run as postgres by the configuration that the role wrote. Its secrets are in no argument."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import backup, store_lock, wal_gaps
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.backup import PROGRAM
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

CONFIGURATION = "/etc/pgbackrest"
"""Where pgBackRest looks by itself: that of a database host."""
UNIT = "estate-backup@{}.service"
KIT = "kit/estate.age"
"""Where the recovery kit lies in a store, below its path."""
MISSING = 1
READ_S = 120
CHECK_S = 600
LIST_S = 600
"""A month of WAL in an object store is some fifty thousand names."""
DAY_S = 24 * 3600
ARGUMENTS = {
    "stanza": {"type": "str", "required": True},
    "repositories": {"type": "list", "elements": "int", "default": [1]},
    "user": {"type": "str", "default": "postgres"},
    "configuration": {"type": "path", "default": CONFIGURATION},
}
"""Which pgBackRest on the host is meant (documented in doc_fragments/postgresql_backup.py)."""


@dataclass(frozen=True)
class Client:
    """One identity's pgBackRest: its system user, the folder of its configuration, the stanza and the stores."""

    stanza: str
    stores: tuple[int, ...]
    user: str
    folder: str

    @classmethod
    def of(cls, params: dict[str, Any]) -> Client:
        """From the options of a module (ARGUMENTS)."""
        return cls(params["stanza"], tuple(params["repositories"]), params["user"], params["configuration"])

    @property
    def files(self) -> tuple[str, str]:
        """The configuration, and the part of it that holds secrets."""
        return f"{self.folder}/pgbackrest.conf", f"{self.folder}/conf.d/secrets.conf"

    @property
    def installed(self) -> bool:
        """Whether program and configuration are there; a bare host in check mode has neither."""
        return os.path.exists(PROGRAM) and os.path.exists(self.files[0])

    @property
    def words(self) -> list[str]:
        """The program and where it finds what it needs: the beginning of each of its commands."""
        where = [f"--config={self.files[0]}", f"--config-include-path={self.folder}/conf.d"]
        return [PROGRAM, *where, f"--stanza={self.stanza}"]

    def argv(self, command: str, *options: str) -> list[str]:
        """One command of pgBackRest as its user runs it."""
        return ["runuser", "-u", self.user, "--", *self.words, *options, command]

    def call(
        self, command: str, *options: str, timeout_s: float = READ_S, operand: str = "", stdin: str | None = None
    ) -> tuple[int, str, str]:
        """Run one command: its code, output and what it complained of."""
        done = System().run(self.argv(command, *options) + ([operand] if operand else []), stdin, timeout_s)
        return done if done[0] == 0 else (done[0], self.redacted(done[1]), self.redacted(done[2]))

    def redacted(self, said: str) -> str:
        """Without a secret of its own: what it cannot make sense of, it quotes."""
        for secret in sorted(filter(None, store_lock.options(self.files[1]).values()), key=len, reverse=True):
            said = said.replace(secret, "********")
        return said

    def gaps(self, account: backup.Account, number: int) -> tuple[wal_gaps.Gap, ...]:
        """WAL that a store lacks between its backups and the end of its archive. Lists every segment of the archive."""
        begins = [one.wal_begin for one in account.current(number) if one.wal_begin]
        if not begins or not account.archives.get(number):
            return ()
        held = self.held(account, number)
        # None is there of a branch that is older than the archive; the path begins with it then.
        branch = f"{self._archive(account, number)}/{wal_gaps.newest(held):08X}.history"
        history = self._got(number, branch) or ""
        return tuple(wal_gaps.find(held, history, begins))

    def held(self, account: backup.Account, number: int) -> set[wal_gaps.Place]:
        """Every segment in the archive of a store that has one: of the newest version, after a major upgrade."""
        folder = self._archive(account, number)
        listed = self.must("repo-ls", f"--repo={number}", "--recurse", timeout_s=LIST_S, operand=folder)
        return wal_gaps.segments(listed)

    def _archive(self, account: backup.Account, number: int) -> str:
        return f"archive/{self.stanza}/{account.archives[number][-1]['id']}"

    def kit(self, number: int) -> str | None:
        """The recovery kit that lies in a store, sealed; None where there is none."""
        return self._got(number, KIT, "--raw")

    def _got(self, number: int, path: str, *options: str) -> str | None:
        """A file of a store; None where it is not."""
        code, out, err = self.call("repo-get", f"--repo={number}", "--ignore-missing", *options, operand=path)
        if code not in (0, MISSING):
            raise EstateError(f"pgbackrest repo-get {path}: {complaint(out, err)}")
        return out if code == 0 else None

    def lay_kit(self, number: int, text: str) -> None:
        """Put the recovery kit into a store, in the place of an earlier one."""
        code, out, err = self.call("repo-put", f"--repo={number}", "--raw", operand=KIT, stdin=text)
        if code:
            raise EstateError(f"pgbackrest repo-put {KIT}: {complaint(out, err)}")

    def must(self, command: str, *options: str, timeout_s: float = READ_S, operand: str = "") -> str:
        """The same; what fails is told in pgBackRest's words."""
        code, out, err = self.call(command, *options, timeout_s=timeout_s, operand=operand)
        if code:
            raise EstateError(f"pgbackrest {command}: {complaint(out, err)}", rc=code)
        return out

    def account(self) -> backup.Account:
        """What it says of the stanza; where it cannot be asked at all, each store says so."""
        if not self.installed:
            return backup.Account()
        try:
            return self.told()
        except EstateError as err:
            return backup.Account(tuple(backup.Store(number, backup.OTHER, str(err)) for number in self.stores))

    def told(self) -> backup.Account:
        """What it says of the stanza. Fails where it cannot be asked."""
        return backup.account(backup.parsed(self.must("info", "--output=json")))


def complaint(out: str, err: str) -> str:
    """Its errors without time and process number, on one line."""
    lines = [line.partition("ERROR: ")[2] or line.partition("WARN: ")[2] or line for line in (err or out).splitlines()]
    return backup.readable(" ".join(lines))[-1500:] or "failed without a word"


def back_up(kind: str) -> None:
    """Start the unit that the timers start, and wait for its end: one way to make a backup, with one log."""
    unit = UNIT.format(kind)
    System().run(["systemctl", "reset-failed", unit])
    code, _out, err = System().run(["systemctl", "start", unit], timeout_s=DAY_S)
    if code:
        _code, log, _err = System().run(["journalctl", "--unit", unit, "--lines", "12", "--output", "cat"])
        raise EstateError(f"{unit} failed: {' '.join(log.split())[-1500:] or err.strip()}")
