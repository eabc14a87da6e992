# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restic repository, through a gate that lets its client add and read, or as a directory of this host.

Options and outputs are those of restic 0.14 (Debian 12) to 0.18 (Debian 13), as its manual has them ("Scripting"). The
repository's address, which holds the gate's password, and its key lie in files: neither is an argument.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import gate, plan
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

CACHE = "/var/cache/retailerp-estate/restic"
QUICK_S = 300
#: Of a snapshot's whole id, a SHA-256.
ID_DIGITS = 64
#: The codes of restic 0.17 and later for a repository that is not there and a key that does not open it.
NO_REPOSITORY, LOCKED, WRONG_KEY = 10, 11, 12
#: What the older ones say instead.
_SAYS_NONE = re.compile(r"(Is there a repository at|unable to open config file|does not exist)")
_SAYS_LOCKED = re.compile(r"repository is already locked")
_SAYS_WRONG = re.compile(r"wrong password or no key found")

#: How a module is told where the repository is.
ARGUMENTS = {
    "repository_file": {"type": "path", "default": "/etc/estate/filestore/repository"},
    "password_file": {"type": "path", "default": "/etc/estate/filestore/key", "no_log": False},
    "ca_file": {"type": "path"},
    "rclone_config": {"type": "path"},
}


def ready(options: dict[str, Any]) -> bool:
    """Whether this host has what it takes to ask; a bare one has not."""
    return bool(shutil.which("restic")) and os.path.exists(options["repository_file"])


class RepositoryLocked(EstateError):
    """Another client is at work, or was killed: restic takes its lock for stale after half an hour."""


@dataclass(frozen=True)
class Taken:
    """A snapshot that was just made: its id, the files and bytes it holds, and what of them was new."""

    id: str
    files: int
    bytes: int
    added_bytes: int


class Repository:
    """One repository.

    options: repository_file and password_file on this host, ca_file of the gate or the store (none without one); may
    have cache, a directory of our own, and rclone_config, a file for a repository that rclone reaches.
    """

    def __init__(self, options: dict[str, Any], system: System | None = None) -> None:
        self._options = options
        self._system = system or System()

    @property
    def address(self) -> str:
        """Where it is, without the password."""
        return re.sub(r"//[^/@]*@", "//", self._location())

    def _location(self) -> str:
        try:
            with open(self._options["repository_file"], encoding="utf-8") as file:
                return file.read().strip()
        except FileNotFoundError:
            raise EstateError(f"there is no {self._options['repository_file']}; run role filestore_backup") from None

    def gate(self) -> gate.Gate | None:
        """The gate it is behind; None for a directory."""
        return gate.of(self._location(), self._options.get("ca_file"))

    def there(self) -> bool:
        """Whether there is a repository that our key opens."""
        code, out, err = self._restic(["cat", "config"], QUICK_S)
        if code == 0:
            return True
        if code == NO_REPOSITORY or _SAYS_NONE.search(err):
            return False
        raise self._failed("be opened", code, out, err)

    def create(self) -> None:
        """A new, empty repository."""
        self._must(["init"], "be made", QUICK_S)

    def snapshots(self) -> list[plan.Snapshot]:
        """All there are, whoever made them, and whoever is at work: what is only looked at needs no lock."""
        listed = self._must(["snapshots", "--no-lock", "--json"], "be listed", QUICK_S)
        return [plan.snapshot(one) for one in json.loads(listed)]

    def backup(self, directory: str, host: str, tags: list[str], timeout_s: float) -> Taken:
        """A snapshot of a directory with all in it."""
        words = ["backup", "--json", "--host", host, *_tagged(tags), "--", directory]
        return self._whole(_taken(self._must(words, "take the files", timeout_s)))

    def _whole(self, taken: Taken) -> Taken:
        """With the id that it is listed by, as a record has to name it: restic 0.14 says its first digits alone."""
        if len(taken.id) == ID_DIGITS:
            return taken
        known = [one.id for one in self.snapshots() if one.id.startswith(taken.id)]
        if len(known) != 1:
            raise EstateError(f"restic made snapshot {taken.id}, and lists {len(known)} of that name; take it again")
        return replace(taken, id=known[0])

    def keep(self, text: str, name: str, host: str, tags: list[str]) -> Taken:
        """A snapshot of one file with this text."""
        words = ["backup", "--json", "--host", host, *_tagged(tags), "--stdin", "--stdin-filename", name]
        return _taken(self._must(words, "take the record", QUICK_S, stdin=text))

    def names(self, id: str, below: str) -> set[str]:
        """The files of a snapshot below a directory, as paths within it."""
        listed = self._must(["ls", "--no-lock", "--json", id], "be listed", QUICK_S).splitlines()
        entries = [json.loads(line) for line in listed]
        within = below.rstrip("/") + "/"
        paths = (one["path"] for one in entries if one.get("type") == "file")
        return {path[len(within) :] for path in paths if path.startswith(within)}

    def text(self, id: str, name: str) -> str:
        """The content of a small file of a snapshot."""
        return self._must(["dump", "--no-lock", id, name], "be read", QUICK_S)

    def restore(self, id: str, target: str, names: list[str] | None, timeout_s: float) -> None:
        """Lay the files of a snapshot below a directory, with their whole paths; those of these paths alone if given.

        The contents are checked by restic itself: each part is named by its SHA-256.
        """
        words = ["restore", id, "--target", target]
        for name in names or []:
            words += ["--include", name]
        self._must(words, "be restored", timeout_s)

    def forget(self, ids: list[str], timeout_s: float) -> None:
        """Forget snapshots and free what only they held. A gate refuses this."""
        self._must(["forget", "--prune", *ids], "forget", timeout_s)

    def unlock(self) -> None:
        """Remove locks whose holder is gone."""
        self._must(["unlock"], "be unlocked", QUICK_S)

    def check(self, part: str, timeout_s: float) -> None:
        """Prove that the repository is whole; part: how much of the contents is read, as "5%" or "1/30"."""
        self._must(["check", f"--read-data-subset={part}"], "be proven whole", timeout_s)

    def _must(self, words: list[str], what: str, timeout_s: float, stdin: str | None = None) -> str:
        code, out, err = self._restic(words, timeout_s, stdin)
        if code != 0:
            raise self._failed(what, code, out, err)
        return out

    def _restic(self, words: list[str], timeout_s: float, stdin: str | None = None) -> tuple[int, str, str]:
        self._reach()
        options = ["--repository-file", self._options["repository_file"]]
        options += ["--password-file", self._options["password_file"], "--cache-dir", self._options.get("cache", CACHE)]
        root, stores = self._options.get("ca_file"), self._options.get("rclone_config")
        if stores:
            # What restic itself starts rclone with, and where its stores are told.
            said = f"serve restic --stdio --b2-hard-delete --config {stores}"
            said += f" --ca-cert {root}" if root else ""
            options += ["--option", f"rclone.args={said}"]
        elif root:
            options += ["--cacert", root]
        # At the end of its patience restic is killed, and its lock goes stale; the next run does not wait for it.
        argv = ["restic", "--quiet", *options, *words]
        if stores:
            # Past the gate root works beside it: in a directory, a lock that the gate cannot read keeps everybody out.
            argv = ["sh", "-c", 'umask 0007; exec "$@"', "sh", *argv]
        return self._system.run(argv, stdin, timeout_s)

    def _reach(self) -> None:
        """restic tries for a quarter of an hour what nobody answers; who waits for a backup wants to hear at once."""
        found = self.gate()
        if found:
            found.reach()

    def _failed(self, what: str, code: int, out: str, err: str) -> EstateError:
        if code == 127:
            return EstateError("there is no restic on this host; run role filestore_backup")
        if code == WRONG_KEY or _SAYS_WRONG.search(err):
            return EstateError(f"the key in {self._options['password_file']} does not open {self.address}")
        if code == LOCKED or _SAYS_LOCKED.search(err):
            return RepositoryLocked(f"the repository {self.address} is locked: {' '.join(err.split())[:300]}")
        if code == 124:
            return EstateError(f"the repository {self.address} could not {what}: {err}")
        told = " ".join((err.strip() or out.strip()).split())[-600:]
        return EstateError(f"the repository {self.address} could not {what} (restic ended with {code}): {told}")


def _tagged(tags: list[str]) -> list[str]:
    return [word for tag in tags for word in ("--tag", tag)]


def _taken(out: str) -> Taken:
    """From the summary that `restic backup --json` ends with."""
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    summary = next((line for line in reversed(lines) if line.get("message_type") == "summary"), None)
    if not summary or not summary.get("snapshot_id"):
        raise EstateError("restic ended well and named no snapshot")
    return Taken(
        summary["snapshot_id"],
        summary["total_files_processed"],
        summary["total_bytes_processed"],
        summary["data_added"],
    )
