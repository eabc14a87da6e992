# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place where configuration sets touch the host: files, accounts, commands. Every write is one step."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import shutil
import stat
import subprocess
import time
from typing import IO

from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import FileState, UnitState
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

COMMAND_TIMEOUT_S = 120
STATE = "/var/lib/retailerp-estate"
LOCK_WAIT_S = 180
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
}


class System:
    """This host."""

    def __init__(self, mountinfo: str = "/proc/self/mountinfo") -> None:
        self._mountinfo = mountinfo

    # What is there

    def state(self, path: str) -> FileState:
        """The path as it is, without following a link at its end."""
        try:
            seen = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return FileState()
        kind, content = "other", b""
        if stat.S_ISLNK(seen.st_mode):
            kind, content = "link", os.fsencode(os.readlink(path))
        elif stat.S_ISDIR(seen.st_mode):
            kind = "directory"
        elif stat.S_ISREG(seen.st_mode):
            kind = "mount" if path in self.mounts() else "file"
            content = self.read(path)
        return FileState(kind, content, seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode))

    def mounts(self) -> dict[str, set[str]]:
        """Every mount point, with the kernel's octal escapes undone, and its options."""
        try:
            with open(self._mountinfo, encoding="utf-8") as table:
                rows = (line.split() for line in table)
                return {row[4].encode().decode("unicode_escape"): set(row[5].split(",")) for row in rows}
        except OSError:
            return {}

    def read(self, path: str) -> bytes:
        """A file's content."""
        with open(path, "rb") as file:
            return file.read()

    def exists(self, path: str) -> bool:
        """Whether anything is at the path."""
        return os.path.lexists(path)

    def files_below(self, folder: str) -> list[str]:
        """Every path below a directory that is no directory itself; none where it is not there. No link is followed."""
        found = []
        for place, folders, files in os.walk(folder):
            links = [name for name in folders if os.path.islink(f"{place}/{name}")]
            found += [f"{place}/{name}" for name in [*files, *links]]
        return found

    def uid(self, name: str) -> int | None:
        """The number of a user, given by name or number; None when there is no such name."""
        try:
            return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
        except KeyError:
            return None

    def gid(self, name: str) -> int | None:
        """The number of a group, given by name or number; None when there is no such name."""
        try:
            return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
        except KeyError:
            return None

    def unit(self, name: str) -> UnitState:
        """A unit as systemd sees it; on a host without systemd no unit exists."""
        try:
            code, out, _err = self.run(
                ["systemctl", "show", "-p", "LoadState,ActiveState,SubState,UnitFileState", name]
            )
        except EstateError:
            return UnitState()
        return UnitState() if code != 0 else UnitState.shown(out)

    # What changes it

    def run(
        self, argv: list[str], stdin: str | None = None, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> tuple[int, str, str]:
        """Run a program without a shell: its code, output and errors. Code 127: it is not there, 124: it hangs."""
        try:
            done = subprocess.run(
                argv,
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                env=ENVIRONMENT,
                check=False,
                stdin=subprocess.DEVNULL if stdin is None else None,
            )
        except (FileNotFoundError, PermissionError):
            return 127, "", f"{argv[0]}: no such program on this host"
        except subprocess.TimeoutExpired:
            return 124, "", f"no end after {timeout_s:g} s"
        return done.returncode, done.stdout, done.stderr

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def write(self, path: str, content: bytes, uid: int, gid: int, mode: int) -> None:
        """A new file that no one else can read before it has its owner and mode; synced to disk."""
        if os.path.lexists(path):
            os.unlink(path)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(content)
            os.fchown(number, uid, gid)
            os.fchmod(number, mode)
            file.flush()
            os.fsync(number)

    def link(self, path: str, target: bytes) -> None:
        """A new symbolic link."""
        self.remove(path)
        os.symlink(os.fsdecode(target), path)

    def rename(self, source: str, target: str) -> None:
        """Let a file take another's place, in one step that a power cut does not undo."""
        os.rename(source, target)
        number = os.open(os.path.dirname(target), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)

    def remove(self, path: str) -> None:
        """Remove a file if it is there."""
        if os.path.lexists(path):
            os.unlink(path)

    def make_directory(self, path: str, uid: int, gid: int, mode: int) -> None:
        """A directory with its owner and mode, made if missing; its parent must be there."""
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
        os.chown(path, uid, gid)
        os.chmod(path, mode)

    def make_private(self, path: str) -> None:
        """A directory and its parents, for root alone."""
        os.makedirs(path, mode=0o700, exist_ok=True)

    def keep(self, path: str, copy: str) -> None:
        """Copy a file or link with owner, mode and times."""
        if os.path.lexists(copy):
            os.unlink(copy)
        shutil.copy2(path, copy, follow_symlinks=False)
        if not os.path.islink(copy):
            with open(copy, "rb") as file:
                os.fsync(file.fileno())
        seen = os.lstat(path)
        os.chown(copy, seen.st_uid, seen.st_gid, follow_symlinks=False)

    def remove_tree(self, path: str) -> None:
        """Remove a directory and all in it."""
        shutil.rmtree(path, ignore_errors=True)

    def lock(self, path: str, wait_s: float = LOCK_WAIT_S) -> IO[str]:
        """Hold a lock until the process ends; EstateError when another run still holds it after so many seconds.

        A controller that was killed may have left its module at work on this host: that is worth waiting for.
        """
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        file = open(path, "w", encoding="utf-8")  # noqa: SIM115  (open as long as the lock is held)
        end = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            except OSError as err:
                if time.monotonic() >= end:
                    file.close()
                    raise EstateError(f"another run is at work here (it holds {path}); wait for it to end") from err
            self.pause(0.5)
