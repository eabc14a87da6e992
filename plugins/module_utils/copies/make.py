# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of a shop that acts on nobody, made on the keeper: neutral before anything of it is on a network."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.copies import packed, record
from ansible_collections.retailerp.estate.plugins.module_utils.drill import beside, plan
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import restic
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.modules import Step
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

URL = "https://copy.invalid"
#: Marks the directories that are a copy's.
OURS = ".restore-copy"
#: By these Odoo's servers, and links that were sent, tell databases apart (ir_config_parameter.py, 14 to 19).
OWN = ("database.uuid", "database.secret")


class Make:
    """The capability: one copy, made or removed. `told` is for the answer."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._params, self._system = params, System()
        self._repository, self._beside = restic.Repository(params), beside.Beside(params, OURS, self._system)
        self._done: plan.Restored | None = None
        self.told: dict[str, Any] = {}

    def read(self) -> plan.Restored | None:
        """The point that is to be copied, or what was made of it; None where a copy is only to go."""
        if self._params["state"] == "absent" or self._done:
            return self._done
        point, found = beside.chosen(self._params, self._repository)
        return plan.Restored(point, time.time(), found)

    def plan(self, current: plan.Restored | None) -> list[Change]:
        """A copy, until it was made; or that none is left."""
        if current is None:
            there = [path for path in (self._params["root"], self._params["directory"]) if os.path.lexists(path)]
            return [Change(f"directory {path}", "delete", "present", None, data=path) for path in there]
        if self._done:
            return []
        if not current.record.get("odoo", {}).get("series"):
            raise EstateError(f"the record of {current.point.name} names no series of Odoo; take a new point")
        return [Change(f"copy of {current.point.name}", "create", None, self._params["directory"], data=current)]

    def apply(self, changes: list[Change]) -> None:
        """Make it, or remove it. What a run that was killed left goes first."""
        self._beside.refuse_others()
        beside.refuse_others(self._params["directory"], OURS, "no copy")
        self._beside.clear()
        self._remove()
        if self._params["state"] == "absent":
            return
        found = changes[0].data
        try:
            self._beside.make(found)
            self._make(found)
            self._done = found
        finally:
            self._beside.clear()
            if not self._done:
                self._remove()

    def _make(self, found: plan.Restored) -> None:
        said, out, filestore = self._params, self._params["directory"], self._beside.filestore
        self._beside.lay(found, self._repository)
        found.damaged = tuple(name for name in found.damaged if name not in record.lost(found.record))
        with beside.timed(found, "neutral"):
            copy = self._beside.neutralise(URL)
            copy.write([Step("parameter", name, str(uuid.uuid4())) for name in OWN], "")
        failed = [f"{one.title}: {one.observed}" for one in self.controls(found) if one.state == "fail"]
        if failed:
            raise EstateError(f"{found.point.name} was not copied: {'; '.join(failed)}")
        self._system.make_private(out)
        self._system.write(f"{out}/{OURS}", b"", 0, 0, 0o600)
        with beside.timed(found, "dump"):
            made = self._beside.server.dump(said["database"], said["user"], said["longest_s"])
            contents = self._beside.server.listed(made)
            shutil.move(made, f"{out}/{record.DUMP}")
        with beside.timed(found, "files"):
            below = self._system.files_below(filestore) if os.path.isdir(filestore) else []
            packed.pack(filestore, [path[len(filestore) + 1 :] for path in below], f"{out}/{record.FILES}")
        parts = {name: packed.told(f"{out}/{name}") for name in record.PARTS}
        text = record.build(found, said["estate"], contents, parts)
        self._system.write(f"{out}/{record.RECORD}", text.encode(), 0, 0, 0o600)
        for path in (*(f"{out}/{name}" for name in (*record.PARTS, record.RECORD)), out):
            os.chmod(path, 0o700 if path == out else 0o600)
            # Who fetches it comes in as a user of its own.
            os.chown(path, said["owner"], -1)
        phases = {phase: round(took, 1) for phase, took in found.phases.items()}
        sizes = {name: part["bytes"] for name, part in parts.items()}
        self.told.update(record.report(text), path=out, phases=phases, bytes=sizes)

    def _remove(self) -> None:
        beside.remove(self._params["directory"], OURS)

    def controls(self, current: plan.Restored | None) -> list[Control]:
        """See plan.restored; before a copy there is nothing to judge."""
        return plan.restored(current, "copy") if current and current.phases else []
