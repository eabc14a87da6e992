# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a host for all controls of its baseline at once, and taking the planned steps on it."""

from __future__ import annotations

import datetime
import glob
import json
import os
import socket
import stat
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host import baseline_files as own
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline import Baseline, controls, plan
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_kinds import Daemon, groups_of
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_model import (
    Accounts,
    Person,
    Seen,
    Step,
    Wanted,
)
from ansible_collections.retailerp.estate.plugins.module_utils.host.packages import APT, Packages
from ansible_collections.retailerp.estate.plugins.module_utils.host.packages import Seen as PackagesSeen
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import FileState, UnitState, tail
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import STATE, System
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

OWED = f"{STATE}/baseline.owed"
ROUNDS = 2
NO_AUDIT = "the kernel lets this host see no audit, as in a container"
# Of the kernel's headers netlink.h and audit.h.
NETLINK_AUDIT, AUDIT_GET, NLMSG_ERROR, NLM_F_REQUEST, NLM_F_ACK = 9, 1000, 2, 1, 4


class HostBaseline:
    """The capability behind host_baseline: the whole baseline of this host in one read, one plan and one apply."""

    def __init__(self, baseline: Baseline, system: System) -> None:
        self._baseline, self._system = baseline, system

    def read(self) -> Seen:
        """Everything that any control asks for, each thing once."""
        wanted = self._baseline.wanted
        by_kind = {kind: [one for one in wanted if one.kind == kind] for kind in {one.kind for one in wanted}}
        units = self._units(
            [own.MOUNTS_UNIT, *(name for one in by_kind.get("unit", []) for name in [one["unit"], *one.get("or", [])])]
        )
        sysctls = {one["key"]: self._sysctl(one["key"]) for one in by_kind.get("sysctl", [])}
        container = self._container()
        return Seen(
            container=container,
            today=datetime.date.today().isoformat(),
            sysctls=sysctls,
            read_only={path for values in sysctls.values() for path in values if not os.access(path, os.W_OK)},
            modules={line.split()[0] for line in self._lines("/proc/modules")},
            mounts=self._system.mounts(),
            files={path: self._system.state(path) for path in self._files(wanted)},
            paths={one["path"]: self._paths(one) for one in by_kind.get("path", [])},
            owners={name: self._system.uid(name) for one in wanted if (name := one.get("owner"))},
            owner_groups={name: self._system.gid(name) for one in wanted for name in groups_of(one)},
            packages=Packages([], [], self._system).read() if "package" in by_kind else PackagesSeen(),
            units={name: state for name, (state, _skipped) in units.items()},
            skipped={name for name, (_state, skipped) in units.items() if skipped},
            accounts=self._accounts(),
            sshd=self._sshd() if "sshd" in by_kind else {},
            lacking={} if self._audited() else {"audit": NO_AUDIT},
            owed=self._owed(),
        )

    def plan(self, current: Seen) -> list[Change]:
        """See baseline.plan."""
        return plan(self._baseline, current)

    def controls(self, current: Seen) -> list[Control]:
        """See baseline.controls."""
        return controls(self._baseline, current)

    def apply(self, changes: list[Change]) -> None:
        """Packages, then what is to do with what they brought. A step that fails stops no other one; all are told.

        A second round is for what the first one brought about: the kernel resets some values when another one is set.
        """
        failed: list[str] = []
        self._packages(changes, failed)
        for _round in range(ROUNDS):
            steps = [change.data for change in self.plan(self.read()) if change.data.verb not in ("package", "purge")]
            if not steps or failed:
                break
            self._take(steps, failed)
        if failed:
            raise EstateError("not all of the baseline could be applied:\n" + "\n".join(failed))

    def _take(self, steps: list[Step], failed: list[str]) -> None:
        """Every step, and last the commands that put written files into effect: owed to the next run until they ran."""
        late = [step for step in steps if step.verb == "late"]
        self._owe(late)
        for step in steps:
            if step.verb != "late":
                self._try(step, failed)
        self._owe([step for step in late if not self._try(step, failed)])

    def _try(self, step: Step, failed: list[str]) -> bool:
        try:
            getattr(self, f"_do_{step.verb}")(*step.arguments)
        except (EstateError, OSError) as err:
            failed.append(f"- {err}")
            return False
        return True

    # What steps do

    def _do_write(self, path: str, content: bytes, access: tuple[int, int, int], check: list[str] | None) -> None:
        """In one step, after the program that reads it has accepted it. Programs read no hidden file of a folder."""
        self._parents(os.path.dirname(path))
        candidate = f"{os.path.dirname(path)}/.estate-{os.path.basename(path)}"
        self._system.write(candidate, content, *access)
        try:
            if check:
                self._do_command([word.replace("%s", candidate) for word in check])
            self._system.rename(candidate, path)
        finally:
            self._system.remove(candidate)

    def _parents(self, folder: str) -> None:
        """Missing directories, readable by services whatever the umask of this process."""
        if not os.path.isdir(folder):
            self._parents(os.path.dirname(folder))
            self._system.make_directory(folder, 0, 0, 0o755)

    def _do_remove(self, path: str) -> None:
        self._system.remove(path)

    def _do_mode(self, path: str, uid: int, gid: int, mode: int) -> None:
        os.chown(path, uid, gid)
        os.chmod(path, mode)

    def _do_folder(self, path: str, uid: int, gid: int, mode: int) -> None:
        self._system.make_directory(path, uid, gid, mode)

    def _do_sysctl(self, path: str, value: str) -> None:
        # An interface may have gone since it was read, as those of containers do.
        with suppress(FileNotFoundError), open(path, "w", encoding="ascii") as file:
            file.write(value)

    def _do_command(self, argv: list[str]) -> None:
        code, out, err = self._system.run(argv)
        if code != 0:
            raise EstateError(f"`{' '.join(argv)}` ended with {code}: {tail(err or out, [])}")

    _do_late = _do_command

    def _packages(self, changes: list[Change], failed: list[str]) -> None:
        names = [change.data.arguments[0] for change in changes if change.data.verb == "package"]
        gone = [change.data.arguments[0] for change in changes if change.data.verb == "purge"]
        try:
            if names:
                packages = Packages(names, [], self._system)
                packages.apply(packages.plan(packages.read()))
            if gone:
                self._only_these_go(gone)
                Packages([], [], self._system).remove(gone)
        except EstateError as err:
            failed.append(f"- {err}")

    def _only_these_go(self, names: list[str]) -> None:
        """Refuse a removal that would take other packages along."""
        code, out, err = self._system.run([*APT, "--simulate", "purge", *names])
        going = {line.split()[1] for line in out.splitlines() if line.startswith(("Purg ", "Remv "))}
        others = sorted(going - set(names))
        if code or others:
            why = f"it would take {', '.join(others)} along" if others else tail(err or out, [])
            raise EstateError(f"{', '.join(names)} cannot be removed: {why}; remove it by hand or exempt it")

    def _owe(self, late: list[Step]) -> None:
        if late:
            self._system.make_private(STATE)
            self._system.write(OWED, json.dumps([step.arguments[0] for step in late]).encode(), 0, 0, 0o600)
        else:
            self._system.remove(OWED)

    # What is read

    def _owed(self) -> list[list[str]]:
        return json.loads(self._system.read(OWED)) if self._system.exists(OWED) else []

    def _container(self) -> bool:
        """By systemd's own finding, made at boot."""
        return self._system.exists("/run/systemd/container")

    @staticmethod
    def _audited() -> bool:
        """Whether the kernel lets this host ask for the state of its audit, with or without auditd installed."""
        try:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT) as kernel:
                kernel.settimeout(1)
                kernel.sendto(struct.pack("=IHHII", 16, AUDIT_GET, NLM_F_REQUEST | NLM_F_ACK, 1, 0), (0, 0))
                _length, kind, _flags, _sequence, _port, error = struct.unpack("=IHHIIi", kernel.recv(8192)[:20])
        except OSError:
            return False
        return kind != NLMSG_ERROR or error == 0

    @staticmethod
    def _lines(path: str) -> list[str]:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read().splitlines()
        except OSError:
            return []

    def _sysctl(self, key: str) -> dict[str, str]:
        values = {}
        for path in glob.glob(f"/proc/sys/{key.replace('.', '/')}"):
            try:
                with open(path, encoding="utf-8") as file:
                    values[path] = " ".join(file.read().split())
            except OSError:
                continue
        return values

    @staticmethod
    def _files(wanted: list[Wanted]) -> set[str]:
        named = {one["path"] for one in wanted if one.kind in ("line", "text", "setting")}
        return named | {own.SYSCTL, own.MODPROBE, own.MOUNTS, Daemon.FILE}

    @staticmethod
    def _paths(wanted: Wanted) -> dict[str, FileState]:
        """What the pattern finds, links left out: they have no rights of their own, and lead elsewhere."""
        kinds = {"file": stat.S_ISREG, "directory": stat.S_ISDIR, "socket": stat.S_ISSOCK}
        found = {}
        for path in sorted(glob.glob(wanted["path"])):
            seen = os.lstat(path)
            kind = next((name for name, test in kinds.items() if test(seen.st_mode)), "other")
            if kind != "other":
                found[path] = FileState(kind, b"", seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode))
        return found

    def _units(self, names: list[str]) -> dict[str, tuple[UnitState, bool]]:
        """Each unit as systemd sees it, and whether it was left out by its conditions; one call for all."""
        what = "Id,LoadState,ActiveState,SubState,UnitFileState,ConditionResult,ConditionTimestampMonotonic"
        code, out, _err = self._system.run(["systemctl", "show", "-p", what, *names])
        if code:
            return {}
        result = {}
        for name, block in zip(names, out.strip().split("\n\n")):
            seen = dict(line.partition("=")[::2] for line in block.splitlines())
            asked = seen.get("ConditionTimestampMonotonic", "0") != "0"
            result[name] = (UnitState.shown(block), asked and seen.get("ConditionResult") == "no")
        return result

    def _accounts(self) -> Accounts:
        shadow = {row[0]: row for row in self._table("/etc/shadow", 3)}
        people = [
            Person(row[0], int(row[2]), int(row[3]), row[5], row[6], row[1], *_secret(shadow.get(row[0])))
            for row in self._table("/etc/passwd", 7)
        ]
        groups = [
            (row[0], int(row[2]), [name for name in row[3].split(",") if name]) for row in self._table("/etc/group", 4)
        ]
        first = own.setting_values("\n".join(self._lines("/etc/login.defs")), "UID_MIN")
        return Accounts(people, groups, int(first[-1]) if first else 1000, int(time.time() // 86400))

    def _table(self, path: str, columns: int) -> Iterable[list[str]]:
        rows = (line.split(":") for line in self._lines(path))
        return [row for row in rows if len(row) >= columns]

    def _sshd(self) -> dict[str, str]:
        code, out, _err = self._system.run(["sshd", "-T"])
        rows = (line.partition(" ")[::2] for line in out.splitlines()) if code == 0 else ()
        return dict(rows)


def _secret(row: list[str] | None) -> tuple[Any, int]:
    """Password field and day of its last change."""
    return (None, 0) if row is None else (row[1], int(row[2]) if row[2].isdigit() else 0)
