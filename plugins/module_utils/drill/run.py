# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore drill from its beginning to its evidence. Whatever happens, what it made goes and what it found is kept."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.drill import plan
from ansible_collections.retailerp.estate.plugins.module_utils.drill.odoo import DrilledOdoo
from ansible_collections.retailerp.estate.plugins.module_utils.drill.server import Server
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan as points
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import restic, restore
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.database import Filestore
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.odoo import neutral
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.modules import LOGIN, Step
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.neutral_store import Copy
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

URL = "https://drill.invalid"
PORT = 5432
#: Longer than the log of a quiet hour may wait to be archived.
ARCHIVED_S = 600
#: Marks a directory that goes with the drill.
OURS = ".restore-drill"


class Run:
    """The capability: one drill. `evidence` is for the answer."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._params, self._system = params, System()
        self._repository = restic.Repository(params)
        self._done: plan.Drill | None = None
        self.evidence: dict[str, Any] = {}

    def read(self) -> plan.Drill:
        """The point that is to be proven, or the drill that was."""
        if self._done:
            return self._done
        if not restic.ready(self._params):
            raise EstateError("this host cannot read recovery points; run playbook filestore")
        point = points.named(points.points(self._repository.snapshots()), self._params["name"])
        record = json.loads(self._repository.text(point.record, points.RECORD_FILE))
        return plan.Drill(point, time.time(), record)

    def plan(self, current: plan.Drill) -> list[Change]:
        """A drill, until it was done."""
        return [] if self._done else [Change(f"restore drill of {current.point.name}", "run", data=current)]

    def apply(self, changes: list[Change]) -> None:
        """Drill, keep the evidence, remove the rest; then fail if anything did not hold."""
        drill = changes[0].data
        root = self._params["root"]
        server = Server(root, self._params["uid"], self._system)
        odoo = self._odoo(drill, root, server)
        if os.path.isdir(root) and os.listdir(root) and not os.path.exists(f"{root}/{OURS}"):
            raise EstateError(f"{root} holds something that is no drill's; name a directory that may be removed")
        self._clear(server, odoo, root)
        try:
            self._system.make_private(root)
            self._system.write(f"{root}/{OURS}", b"", 0, 0, 0o600)
            # The database's server and Odoo's container are other users, and each has a directory of its own below.
            os.chmod(root, 0o711)
            self._carry_out(drill, root, server, odoo)
        finally:
            self._clear(server, odoo, root)
            self._keep(drill)
        self._done = drill
        failed = [one.title for one in self.controls(drill) if one.state == "fail"]
        if failed:
            raise EstateError(
                f"the drill of {drill.point.name} failed: {'; '.join(failed)}. See {self.evidence['path']}",
                evidence=self.evidence,
                controls=[one.report() for one in self.controls(drill)],
            )

    def _odoo(self, drill: plan.Drill, root: str, server: Server) -> DrilledOdoo:
        said = self._params
        image = said["image"] or drill.record.get("odoo", {}).get("image")
        if not image:
            raise EstateError("the point's record names no image of Odoo; give one")
        options = {"name": f"{said['stanza']}-drill", "image": image, "port": PORT}
        options |= {key: said[key] for key in ("addons", "uid", "database", "user", "memory_mb")}
        return DrilledOdoo(options, root, f"{root}/files", server.socket, self._system)

    def _carry_out(self, drill: plan.Drill, root: str, server: Server, odoo: DrilledOdoo) -> None:
        said, point = self._params, drill.point
        where = {"socket": server.socket, "port": PORT, "name": said["database"], "user": said["user"]}
        files, password = Filestore(where), secrets.token_urlsafe(24)
        server.make()
        with self._timed(drill, "archive"):
            server.await_log(said["stanza"], point.wal, ARCHIVED_S)
        with self._timed(drill, "database"):
            server.restore(said["stanza"], point.lsn, point.timeline, said["longest_s"])
            server.start()
        with self._timed(drill, "filestore"):
            directory = f"{root}/files/filestore/{said['database']}"
            restore.make(f"{root}/files", (said["uid"], said["uid"]))
            found = restore.read(self._repository, point.name, directory, files.attachments())
            restore.carry_out(self._repository, found, directory, (said["uid"], said["uid"]), said["longest_s"])
            seen = restore.read(self._repository, point.name, directory, files.attachments())
            drill.attachments, drill.damaged = len(seen.wanted.files), tuple(sorted(seen.damaged))
            drill.rows, drill.modules = files.rows(), files.modules()
        with self._timed(drill, "neutral"):
            copy = Copy(where)
            copy.stop(neutral.plan(copy.look(), URL))
            left = neutral.plan(copy.look(), URL)
            if left:
                raise EstateError(f"the copy still acts: {', '.join(change.resource for change in left)}")
            copy.write([Step("password", LOGIN), Step("login", LOGIN)], password)
        with self._timed(drill, "odoo"):
            odoo.start(password)
        with self._timed(drill, "judgement"):
            drill.odoo = odoo.answers()

    @contextlib.contextmanager
    def _timed(self, drill: plan.Drill, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except (EstateError, OSError) as err:
            drill.failed[phase] = str(err)
            raise
        drill.phases[phase] = time.monotonic() - began

    def _clear(self, server: Server, odoo: DrilledOdoo, root: str) -> None:
        """What this drill made, or one that was killed."""
        for step in (odoo.remove, server.stop):
            with contextlib.suppress(EstateError):
                step()
        shutil.rmtree(root, ignore_errors=True)

    def _keep(self, drill: plan.Drill) -> None:
        self._system.make_private(self._params["evidence"])
        stamp = time.strftime("%Y%m%dt%H%M%Sz", time.gmtime(drill.began))
        path = f"{self._params['evidence']}/{stamp}-{drill.point.name}.json"
        self.evidence.update(drill.report(), path=path, controls=[one.report() for one in self.controls(drill)])
        self._system.write(path, (json.dumps(self.evidence, indent=2, sort_keys=True) + "\n").encode(), 0, 0, 0o600)

    def controls(self, current: plan.Drill) -> list[Control]:
        """See plan.controls; before a drill there is nothing to judge."""
        return plan.controls(current, self._params["longest_s"]) if current.phases or current.failed else []
