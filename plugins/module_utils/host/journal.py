# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: what a configuration set found, kept on the host until the set holds.

Layout under <base>/<name>/, for root alone:
  originals/<n>   each file as it was found        manifest.json   what to put back, in order
  rollback.sh     the program that does it         placed, acted   how far the run came
A journal counts from the moment manifest.json is there; it survives a killed run, and the next run adds to it but never
overwrites an original: the way back always leads to the last configuration that was known to hold.
"""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import (
    FileSpec,
    FileState,
    UnitSpec,
    UnitState,
    rollback_script,
    touches_units,
)
from ansible_collections.retailerp.estate.plugins.module_utils.host.rollback import UNITS, RollbackTimer

BASE = "/var/lib/retailerp-estate/config_set"
PRIVATE = 0o600


class Journal:
    """The journal of one configuration set. `system` is where it is written (module_utils/host/system.py)."""

    def __init__(
        self, system: Any, name: str, base: str = BASE, ids: tuple[int, int] = (0, 0), units: str = UNITS
    ) -> None:
        self._system = system
        self._uid, self._gid = ids
        self.path = f"{base}/{name}"
        self.lock_path = f"{base}/{name}.lock"
        self.script = f"{self.path}/rollback.sh"
        self.timer = RollbackTimer(system, name, self.script, ids, units)

    def manifest(self) -> dict[str, Any] | None:
        """What an earlier run left behind; None when there is nothing."""
        if not self._system.exists(f"{self.path}/manifest.json"):
            return None
        return json.loads(self._system.read(f"{self.path}/manifest.json"))

    def interrupted(self) -> bool:
        """Whether an earlier run may have changed something and did not end."""
        return self.manifest() is not None and self._system.exists(f"{self.path}/placed")

    def sweep(self) -> None:
        """Remove half a journal: begun and never used, or closed by a run that was cut short."""
        if self.manifest() is None and self._system.exists(self.path):
            self._system.remove_tree(self.path)

    def open(
        self,
        files: list[tuple[FileSpec, FileState]],
        units: list[tuple[UnitSpec, UnitState]],
        commands: list[list[str]],
        token: str | None,
    ) -> None:
        """Keep every original that is not kept yet, then write the manifest and the program that puts them back."""
        manifest = self.manifest()
        if manifest is None:
            manifest = {"files": [], "units": [], "commands": [], "reload_systemd": False}
        self._system.make_private(f"{self.path}/originals")
        known = {entry["path"] for entry in manifest["files"]}
        for wanted, seen in files:
            if wanted.path in known:
                continue
            number = len(manifest["files"])
            if seen.kind in ("file", "link"):
                self._system.keep(wanted.path, f"{self.path}/originals/{number}")
            manifest["files"].append(
                {
                    "path": wanted.path,
                    "state": wanted.state,
                    "number": number,
                    "kind": seen.kind,
                    "uid": seen.uid,
                    "gid": seen.gid,
                    "mode": seen.mode,
                }
            )
        known = {entry["name"] for entry in manifest["units"]}
        manifest["units"] += [
            {
                "name": unit.name,
                "action": unit.action,
                "running": seen.running,
                "enabled": bool(seen.enabled) and seen.enabled != "disabled",
            }
            for unit, seen in units
            if unit.name not in known
        ]
        manifest["reload_systemd"] = touches_units([entry["path"] for entry in manifest["files"]])
        manifest["commands"] += [command for command in commands if command not in manifest["commands"]]
        manifest["token"] = token
        manifest["timer"] = {"unit": f"{self.timer.name}.timer", "files": self.timer.files}
        self._put("rollback.sh", rollback_script(self.path, manifest))
        self._put("manifest.json", json.dumps(manifest, indent=1))

    def _put(self, name: str, text: str) -> None:
        """One file of the journal, whole or not at all."""
        self._system.write(f"{self.path}/{name}.new", text.encode(), self._uid, self._gid, PRIVATE)
        self._system.rename(f"{self.path}/{name}.new", f"{self.path}/{name}")

    def mark(self, how_far: str) -> None:
        """Note that files are being placed ("placed") or that units are being told ("acted")."""
        self._put(how_far, "")

    def close(self) -> None:
        """Forget the way back: the configuration holds. The manifest goes first, so half a journal is none."""
        self._system.remove(f"{self.path}/manifest.json")
        self._system.remove_tree(self.path)

    def way_back(self) -> tuple[int, str, str]:
        """Put everything back now."""
        return self._system.run(["/bin/sh", self.script])
