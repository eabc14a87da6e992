# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new cluster made of a stopped one by pg_upgrade, compared with it; in a rehearsal as in the upgrade itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import server, upgrade
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import upgrade_client as steps
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.upstream import Upstream
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError


@dataclass
class Maker:
    """From one version to another on this host. told: what is found out on the way, for the operator."""

    old: server.Layout
    new: server.Layout
    locale: dict[str, str]
    lock: int
    told: dict = field(default_factory=dict)

    def make(self, source: str, target: str, with_rows: bool) -> None:
        """`source` stays as it is; `target` is whole, stopped and without configuration afterwards, or EstateError."""
        began = time.monotonic()
        libraries = self._libraries()
        with steps.serving(self.old, source, steps.like(self.old)):
            had = steps.inventory(with_rows)
        steps.end_leftover(self.new, target)
        options = steps.initdb_options(control(self.old, source), self.new.version)
        server.initdb(self.new, target, self.locale, options, self.lock)
        how = {"libraries": libraries, "clone": steps.can_clone(), "lock": self.lock}
        steps.pg_upgrade(self.old, self.new, source, target, **how)
        with steps.serving(self.new, target, steps.loading(libraries)):
            told = upgrade.differences(had, steps.inventory(with_rows))
            if told:
                raise EstateError(f"the new cluster is not what the old one is: {'; '.join(told)}")
            self.told["extensions"] = steps.update_extensions()
        server.strip(target)
        self._took("upgrade", began)

    def rehearse(self, situation: upgrade.Situation, primary: Upstream) -> None:
        """On a copy that comes from the primary, by what the upgrade will do; nothing of it is left."""
        # The copy itself, and what the upgrade makes of it.
        need = situation.data_bytes + upgrade.need_bytes(situation)
        if situation.free_bytes < need:
            raise EstateError(
                f"a rehearsal needs {need >> 20} MiB on this host, {situation.free_bytes >> 20} MiB are free"
            )
        source, target = copies()
        began = time.monotonic()
        try:
            self.clear()
            with primary.passfile() as passfile:
                conninfo = primary.conninfo()
                server.base_backup(self.old, source, conninfo, [], passfile=passfile, lock=self.lock)
            server.strip(source)
            self._took("base_backup", began)
            self.make(source, target, True)
        finally:
            self.clear()

    def clear(self) -> None:
        """Remove what a rehearsal left, servers included."""
        source, target = copies()
        steps.end_leftover(self.old, source)
        steps.end_leftover(self.new, target)
        shutil.rmtree(os.path.dirname(source), ignore_errors=True)

    def _took(self, what: str, began: float) -> None:
        self.told.setdefault("seconds", {})[what] = round(time.monotonic() - began, 1)

    def _libraries(self) -> str:
        """What the old server loads at its start, by the configuration that is in place."""
        configuration = f"/etc/postgresql/{self.old.version}/{self.old.name}/postgresql.conf"
        program = [self.old.program("postgres"), "-C", "shared_preload_libraries"]
        command = ["runuser", "-u", "postgres", "--", *program, f"--config-file={configuration}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        if done.returncode:
            raise EstateError(f"{configuration} cannot be read by its server: {done.stderr.strip()[-300:]}")
        return done.stdout.strip()


def copies() -> tuple[str, str]:
    """Where a rehearsal's clusters lie: not where anybody looks for one that serves."""
    return f"{server.LIBRARY}/estate-rehearsal/old", f"{server.LIBRARY}/estate-rehearsal/new"


def control(layout: server.Layout, directory: str) -> dict[str, str]:
    """The control file of a cluster, wherever it lies."""
    command = [layout.program("pg_controldata"), "-D", directory]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"LC_ALL": "C"})
    if done.returncode:
        raise EstateError(f"{directory}: {done.stderr.strip()}")
    return dict(re.findall(r"^([^:]+):\s+(.*)$", done.stdout, re.MULTILINE))
