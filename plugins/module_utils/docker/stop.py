# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All containers of a release stopped: nothing serves, and the engine starts none of them until somebody does."""

from __future__ import annotations

from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.docker import client
from ansible_collections.retailerp.estate.plugins.module_utils.docker.model import Release
from ansible_collections.retailerp.estate.plugins.module_utils.docker.plan import Found
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control


class StoppedRelease:
    """The capability behind container_release with the state stopped. Whatever release of the name runs is stopped."""

    def __init__(self, release: Release, engine: client.Engine) -> None:
        self._name, self._engine = release.name, engine
        self.serving: dict[str, Any] = {"release": None, "slot": None, "containers": []}

    def read(self) -> list[Found]:
        """The containers that run; a host without an engine has none."""
        if not self._engine.reachable():
            return []
        found = [client.found_from(inspected) for inspected in self._engine.containers(self._name)]
        return [one for one in found if one.running]

    def plan(self, current: list[Found]) -> list[Change]:
        """One change for each."""
        return [Change(f"container {one.name}", "stop", "running", "stopped", data=one) for one in current]

    def apply(self, changes: list[Change]) -> None:
        """Stop each in its own time."""
        for change in changes:
            self._engine.stop(change.data.id, change.data.name)

    def controls(self, current: list[Found]) -> list[Control]:
        """None runs."""
        running = [one.name for one in current]
        return [Control.check(f"containers.{self._name}.stopped", f"Nothing runs as {self._name}", running, [])]
