# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration set on a host: files that change together or not at all. ConfigSet.apply has the order of steps."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host.journal import Journal
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import (
    ConfigSpec,
    CurrentSet,
    FileSpec,
    FileState,
    UnitSpec,
    UnitState,
    candidate_of,
    controls_of,
    parents_of,
    plan_set,
    tail,
    touches_units,
    with_strays,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

PROBE_INTERVAL_S = 1.0
# A unit that dies of its configuration mostly does so at once, but after systemd has called it started.
SETTLE_S = 1.0


class ConfigSet:
    """The capability behind the module config_set; `system` and `journal` are the host."""

    def __init__(self, spec: ConfigSpec, system: Any, journal: Journal, check_mode: bool = False) -> None:
        self.spec = self._asked = spec
        self._system = system
        self._journal = journal
        self._check_mode = check_mode
        self._lock: Any = None
        self._current: CurrentSet | None = None
        self._pending = False

    def read(self) -> CurrentSet:
        """Every path and unit of the set as it is, and whether an earlier run was cut short."""
        if not self._check_mode and self._lock is None:
            self._lock = self._system.lock(self._journal.lock_path)
            self._journal.sweep()
        owned = [wanted.path for wanted in self._asked.files if wanted.exclusive]
        self.spec = with_strays(self._asked, [path for folder in owned for path in self._system.files_below(folder)])
        files, units = self.spec.files, self.spec.units
        self._current = CurrentSet(
            files={
                path: self._system.state(path) for path in [*parents_of(self.spec), *(wanted.path for wanted in files)]
            },
            units={unit.name: self._unit(unit) for unit in units},
            users={name: self._system.uid(name) for name in {"root", *(wanted.owner for wanted in files)}},
            groups={name: self._system.gid(name) for name in {"root", *(wanted.group for wanted in files)}},
            interrupted=not self._pending and self._journal.interrupted(),
        )
        return self._current

    def _unit(self, unit: UnitSpec) -> UnitState:
        seen = self._system.unit(unit.name)
        if not unit.effect or not seen.running:
            return seen
        code, out, err = self._system.run(unit.effect)
        return replace(seen, undone=self._tail(out or err)) if code else seen

    def plan(self, current: CurrentSet) -> list[Change]:
        """See plan_set."""
        return plan_set(self.spec, current)

    def controls(self, current: CurrentSet) -> list[Control]:
        """See controls_of."""
        return controls_of(self.spec, current)

    def apply(self, changes: list[Change]) -> None:
        """Journal, stage, validate, arm the timer, place, check, tell the units, probe, forget the journal.

        Whatever fails, everything is put back and the error says what failed and how the host was left.
        """
        current = self._current
        if current is None:
            raise EstateError("apply() before read()")
        wanted = list(
            {change.data.path: change.data for change in changes if isinstance(change.data, FileSpec)}.values()
        )
        self._need_accounts(wanted, current)
        self._journal.timer.disarm()
        if current.interrupted and not self._journal.interrupted():
            raise EstateError(
                f"{self.spec.name}: while this ran, the host put its old configuration back by itself; run again"
            )
        self._journal.open(
            [(file, current.files.get(file.path, FileState())) for file in wanted],
            [(unit, current.units[unit.name]) for unit in self.spec.units],
            self.spec.commands,
            self.spec.token,
        )
        try:
            self._stage(wanted, current)
            if self.spec.rollback_after_s:
                self._journal.timer.arm(self.spec.rollback_after_s)
            self._journal.mark("placed")
            self._stop_units(changes)
            self._place(wanted)
            if touches_units([entry["path"] for entry in (self._journal.manifest() or {})["files"]]):
                self._must(["systemctl", "daemon-reload"])
            for command in [*self.spec.commands, *self.spec.checks]:
                self._must(command)
            self._journal.mark("acted")
            self._tell_units(changes, current.interrupted)
            self._probe()
            self._units_must_run()
        except (EstateError, OSError) as err:
            self._put_back(err)
        if self.spec.rollback_after_s:
            self._pending = True
        else:
            self._journal.close()

    def commit(self, token: str) -> None:
        """Keep what is armed to be put back; refuses when the host has gone back already. For a second connection."""
        self._lock = self._system.lock(self._journal.lock_path)
        manifest = self._journal.manifest()
        if manifest is None or manifest.get("token") != token:
            raise EstateError(
                f"{self.spec.name}: the host has already put its old configuration back; nothing was kept"
            )
        self._journal.timer.disarm()
        if self._journal.manifest() is None:
            raise EstateError(f"{self.spec.name}: the host just put its old configuration back; nothing was kept")
        self._journal.close()

    def _need_accounts(self, wanted: list[FileSpec], current: CurrentSet) -> None:
        missing = sorted(
            {
                f"user {file.owner}"
                for file in wanted
                if file.state != "absent" and current.users.get(file.owner) is None
            }
            | {
                f"group {file.group}"
                for file in wanted
                if file.state != "absent" and current.groups.get(file.group) is None
            }
        )
        if missing:
            raise EstateError(
                f"{self.spec.name}: not on this host: {', '.join(missing)}; install what makes it. Nothing was changed."
            )

    def _stage(self, wanted: list[FileSpec], current: CurrentSet) -> None:
        """Directories, then every candidate beside its target with its owner and mode, each one validated."""
        for file in sorted(wanted, key=lambda file: (file.state != "directory", file.path)):
            uid, gid = current.users.get(file.owner), current.groups.get(file.group)
            if file.state == "directory":
                self._system.make_directory(file.path, uid, gid, file.mode)
            elif file.state == "link":
                self._system.link(candidate_of(file.path), file.content)
            elif file.state == "file":
                self._system.write(candidate_of(file.path), file.content, uid, gid, file.mode)
        for file in wanted:
            if file.state == "file" and file.validate:
                self._must(
                    shlex.split(file.validate.replace("%s", shlex.quote(candidate_of(file.path)))),
                    f" on the new {file.path}",
                )

    def _place(self, wanted: list[FileSpec]) -> None:
        for file in wanted:
            if file.state in ("file", "link"):
                self._system.rename(candidate_of(file.path), file.path)
            elif file.state == "absent":
                self._system.remove(file.path)

    def _stop_units(self, changes: list[Change]) -> None:
        """Units that are not to run any more, while the files they were started with are still there."""
        for unit in [change.data for change in changes if change.action == "stop"]:
            self._journal.mark("acted")
            self._must(["systemctl", "disable", "--quiet", "--now", unit.name])
            # One that had failed would count as failed for ever.
            self._system.run(["systemctl", "reset-failed", unit.name])

    def _tell_units(self, changes: list[Change], interrupted: bool) -> None:
        """Each unit's planned action. A run after one that was cut short restarts what may run half a configuration."""
        planned = {(change.data.name, change.action) for change in changes if change.resource.startswith("unit ")}
        for unit in self.spec.units:
            for action in ("start", "reload", "restart"):
                if (unit.name, action) in planned:
                    # A unit that is only just starting from the interrupted run may refuse a reload.
                    verb = "reload-or-restart" if action == "reload" and interrupted else action
                    self._must(["systemctl", verb, unit.name])
            if unit.enabled and planned & {(unit.name, "start"), (unit.name, "enable")}:
                self._must(["systemctl", "enable", "--quiet", unit.name])

    def _probe(self) -> None:
        if not self.spec.probe:
            return
        end = time.monotonic() + self.spec.probe_timeout_s
        while True:
            code, out, err = self._system.run(
                self.spec.probe, stdin=self.spec.probe_stdin, timeout_s=self.spec.probe_timeout_s
            )
            if code == 0:
                return
            if time.monotonic() >= end:
                told = self._tail(err or out)
                within = f"within {self.spec.probe_timeout_s:g} s"
                raise EstateError(f"the probe `{shlex.join(self.spec.probe)}` did not succeed {within}: {told}")
            self._system.pause(PROBE_INTERVAL_S)

    def _units_must_run(self) -> None:
        if self.spec.units and not self.spec.probe:
            self._system.pause(SETTLE_S)
        for unit in self.spec.units:
            seen = self._system.unit(unit.name)
            if unit.action != "stop" and not seen.running:
                _code, out, _err = self._system.run(
                    ["journalctl", "-u", unit.name, "-n", "6", "-o", "cat", "--no-pager"]
                )
                raise EstateError(
                    f"unit {unit.name} is {seen.state} ({seen.sub}) with the new configuration: {self._tail(out)}"
                )

    def _must(self, argv: list[str], where: str = "") -> None:
        code, out, err = self._system.run(argv)
        if code != 0:
            raise EstateError(
                f"`{shlex.join(argv)}` failed{where} (code {code}): {self._tail(err or out) or 'it said nothing'}"
            )

    def _tail(self, text: str) -> str:
        secrets = [file.content.decode("utf-8", "replace") for file in self.spec.files if file.secret]
        return tail(text, [*secrets, self.spec.probe_stdin or ""])

    def _put_back(self, cause: Exception) -> None:
        """Undo, then raise the cause with the state the host was left in."""
        left = "The old configuration is back" if self._journal.interrupted() else "Nothing was changed"
        code, out, err = self._journal.way_back()
        if code == 0:
            for file in self.spec.files:
                self._system.remove(candidate_of(file.path))
            self._journal.timer.disarm()
            raise EstateError(f"{self.spec.name}: {cause}. {left}.", rolled_back=True) from cause
        raise EstateError(
            f"{self.spec.name}: {cause}. Putting the old configuration back failed as well: {self._tail(err or out)}. "
            f"The originals lie in {self._journal.path}; `sh {self._journal.script}` tries again.",
            rolled_back=False,
        ) from cause
