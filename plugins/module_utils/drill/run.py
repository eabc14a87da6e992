# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore drill from its beginning to its evidence. Whatever happens, what it made goes and what it found is kept."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.drill import beside, evidence, plan
from ansible_collections.retailerp.estate.plugins.module_utils.drill.odoo import DrilledOdoo
from ansible_collections.retailerp.estate.plugins.module_utils.drill.server import PORT
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import restic
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.modules import LOGIN, Step
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

URL = "https://drill.invalid"
#: Marks a directory that goes with the drill.
OURS = ".restore-drill"


class Run:
    """The capability: one drill. `evidence` is for the answer."""

    def __init__(self, params: dict[str, Any], check: bool = False) -> None:
        """check: nothing is written, evidence of a drill that cannot begin included."""
        store = params["store"] or plan.due(params["repositories"], evidence.read(params["evidence"]))
        self._params, self._system = {**params, "store": store}, System()
        self._check = check
        self._repository, self._beside = restic.Repository(params), beside.Beside(self._params, OURS, self._system)
        self._done: plan.Drill | None = None
        self.evidence: dict[str, Any] = {}

    def read(self) -> plan.Drill:
        """The point that is to be proven, or the drill that was."""
        if self._done:
            return self._done
        if self._params["store"] not in self._params["repositories"]:
            known = " or ".join(map(str, self._params["repositories"]))
            raise EstateError(f"there is no store {self._params['store']}; name {known}")
        drill = plan.Drill(None, time.time(), {}, store=self._params["store"])
        try:
            with beside.failing(drill, "point"):
                drill.point, drill.record = beside.chosen(self._params, self._repository)
        finally:
            if drill.failed and not self._check:
                self._keep(drill)
        return drill

    def plan(self, current: plan.Drill) -> list[Change]:
        """A drill, until it was done."""
        return [] if self._done else [Change(f"restore drill of {current.point.name}", "run", data=current)]

    def apply(self, changes: list[Change]) -> None:
        """Drill, keep the evidence, remove the rest; then fail if anything did not hold."""
        drill = changes[0].data
        try:
            self._carry_out(drill)
        finally:
            self._keep(drill)
        self._done = drill
        failed = [one.title for one in self.controls(drill) if one.state == "fail"]
        if failed:
            raise EstateError(
                f"the drill of {drill.point.name} failed: {'; '.join(failed)}. See {self.evidence['path']}",
                evidence=self.evidence,
                controls=[one.report() for one in self.controls(drill)],
            )

    def _odoo(self, drill: plan.Drill) -> DrilledOdoo:
        said, where = self._params, self._beside
        image = said["image"] or drill.record.get("odoo", {}).get("image")
        if not image:
            raise EstateError("the point's record names no image of Odoo; give one")
        options = {"name": f"{said['stanza']}-drill", "image": image, "port": PORT}
        options |= {key: said[key] for key in ("addons", "uid", "database", "user", "memory_mb")}
        return DrilledOdoo(options, where.root, where.files, where.server.socket, self._system)

    def _carry_out(self, drill: plan.Drill) -> None:
        with beside.failing(drill, "beginning"):
            odoo = self._odoo(drill)
            self._beside.refuse_others()
        self._clear(odoo)
        try:
            self._beside.make(drill)
            self._prove(drill, odoo)
        finally:
            self._clear(odoo)

    def _prove(self, drill: plan.Drill, odoo: DrilledOdoo) -> None:
        password = secrets.token_urlsafe(24)
        self._beside.lay(drill, self._repository)
        with beside.timed(drill, "neutral"):
            copy = self._beside.neutralise(URL)
            copy.write([Step("password", LOGIN), Step("login", LOGIN)], password)
        with beside.timed(drill, "odoo"):
            odoo.start(password)
        with beside.timed(drill, "judgement"):
            drill.odoo = odoo.answers()

    def _clear(self, odoo: DrilledOdoo) -> None:
        """What this drill made, or one that was killed."""
        with contextlib.suppress(EstateError):
            odoo.remove()
        self._beside.clear()

    def _keep(self, drill: plan.Drill) -> None:
        self._system.make_private(self._params["evidence"])
        stamp = time.strftime("%Y%m%dt%H%M%Sz", time.gmtime(drill.began))
        path = f"{self._params['evidence']}/{stamp}-{drill.point.name if drill.point else 'none'}.json"
        self.evidence.update(drill.report(), path=path, controls=[one.report() for one in self.controls(drill)])
        self._system.write(path, (json.dumps(self.evidence, indent=2, sort_keys=True) + "\n").encode(), 0, 0, 0o600)

    def controls(self, current: plan.Drill) -> list[Control]:
        """See plan.controls; before a drill there is nothing to judge."""
        return plan.controls(current, self._params["longest_s"]) if current.phases or current.failed else []
