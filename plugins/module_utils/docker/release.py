# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converge a release: the new one beside or in place of the old, which is kept until the new one is healthy."""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.docker import client, health
from ansible_collections.retailerp.estate.plugins.module_utils.docker import plan as planning
from ansible_collections.retailerp.estate.plugins.module_utils.docker.firewall import Firewall
from ansible_collections.retailerp.estate.plugins.module_utils.docker.model import Container, Release
from ansible_collections.retailerp.estate.plugins.module_utils.docker.plan import Found, State, Step
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

SPARE_S = 10  # what the engine may take beyond the time it gives containers to end
RESTARTS = 5  # a container that ended so often is not given the rest of its time


class ContainerRelease:
    """The capability behind container_release. `serving` is filled by every read: what serves now."""

    def __init__(self, release: Release, engine: client.Engine, firewall: Firewall) -> None:
        self.release = release
        self.engine = engine
        self.firewall = firewall
        self.serving: dict[str, Any] = {}

    def read(self) -> State:
        """The engine's containers of this name with their health; a host without an engine is an empty one."""
        directories = self._directories()
        if not self.engine.reachable():
            return self._tell(State(engine=False, directories=directories))
        references = {one.image for one in self.release.containers}
        images = {reference: self.engine.image_id(reference) for reference in references}
        subnet = self.engine.subnet(self.release.network["name"])
        state = State(
            images={reference: id for reference, id in images.items() if id},
            networks={} if subnet is None else {self.release.network["name"]: subnet},
            unlimited=self.engine.unlimited(),
            directories=directories,
        )
        containers = tuple(self._asked(one, state) for one in self.engine.containers(self.release.name))
        return self._tell(dataclasses.replace(state, containers=containers))

    def _directories(self) -> tuple[str, ...]:
        root = Path(self.release.config_root or "/nonexistent")
        there = [one for one in root.iterdir() if one.is_dir() and not one.is_symlink()] if root.is_dir() else []
        return tuple(one.name for one in sorted(there, key=lambda one: (-one.stat().st_mtime, one.name)))

    def _asked(self, inspected: dict, state: State) -> Found:
        """A container with its health; one of this release that has just been started is given its time."""
        found = client.found_from(inspected)
        container = self.release.container(found.container)
        if container is None or not found.running:
            return found
        left = 0.0
        if not planning.drift(self.release, found, state):
            left = container.health["timeout_s"] - client.age_s(inspected)
        reason = self._ask_until_healthy(container, found.slot, found.id, time.monotonic() + max(0.0, left))
        return dataclasses.replace(found, healthy=not reason, reason=reason)

    def _tell(self, state: State) -> State:
        slot = planning.serving_slot(self.release, state)
        here = [one for one in state.containers if one.slot == slot]
        containers = [
            {"name": one.name, "image": one.traits["image"], "healthy": bool(one.running and one.healthy)}
            for one in here
        ]
        self.serving.update(release=here[0].release if here else None, slot=slot, containers=containers)
        return state

    def plan(self, current: State) -> list[Change]:
        """See plan.plan."""
        return planning.plan(self.release, current)

    def controls(self, current: State) -> list[Control]:
        """See plan.controls."""
        return planning.controls(self.release, current)

    def apply(self, changes: list[Change]) -> None:
        """Fetch first, then change places, then clean up."""
        if not self.engine.reachable():
            why = "python3-docker is not installed" if client.IMPORT_ERROR else f"nothing answers at {client.SOCKET}"
            raise EstateError(f"there is no Docker engine on this host ({why}): run the role docker_host first")
        steps = [change.data for change in changes]
        for step in _of(steps, "pull"):
            self.engine.pull(step.subject)
        for step in _of(steps, "network"):
            self.engine.create_network(step.subject["name"], step.subject["subnet"])
        for step in _of(steps, "clear"):
            self.engine.remove(step.subject.id, step.subject.name)
        retired = [step.subject for step in _of(steps, "retire")]
        if self.release.slots == 2:
            # A run that was cut short may have turned people away from what is to serve now.
            self.firewall.admit([port["port"] for one in self.release.containers for port in one.ports])
        self._change_places(_of(steps, "create", "start", "restart"), retired)
        self._retire(retired)
        for step in _of(steps, "directory"):
            shutil.rmtree(Path(self.release.config_root or "") / step.subject)

    def _change_places(self, new: list[Step], retired: list[Found]) -> None:
        """Bring the new to health; when that fails take it away again, so that the old serves as before."""
        created: dict[str, str] = {}
        try:
            bodies = [(step, self._name(step)) for step in new]
            # What can be refused is refused while the old still serves.
            for step, name in bodies:
                if step.kind == "create":
                    created[name] = self.engine.create(name, self.release.body(step.subject, step.slot))
            if self.release.slots == 1:
                for old in retired:
                    self.engine.stop(old.id, old.name)
            for step, name in bodies:
                if step.kind == "restart":
                    self.engine.restart(step.subject.id, name)
                else:
                    self.engine.start(created.get(name) or step.subject.id, name)
            for step, name in bodies:
                self._wait(step, name, created.get(name))
        except EstateError as err:
            back = self._go_back(new, created, retired)
            raise EstateError(f"{err}\n{back}", **err.details) from err
        if new and retired and self.release.slots == 2:
            time.sleep(self.release.overlap_s)

    def _retire(self, old: list[Found]) -> None:
        """Stop the old and remove it. With two slots nobody new is sent there while it ends: the new one serves."""
        if self.release.slots == 2:
            ports = [port for one in old for port in one.ports if one.running]
            until_all_end = self.release.drain_s + sum(one.stop_timeout_s for one in self.release.containers) + SPARE_S
            if self.firewall.refuse(ports, until_all_end):
                time.sleep(self.release.drain_s)
        for one in old:
            self.engine.stop(one.id, one.name)
            self.engine.remove(one.id, one.name)

    def _name(self, step: Step) -> str:
        if step.kind == "create":
            return self.release.container_name(step.subject, step.slot)
        return step.subject.name

    def _wait(self, step: Step, name: str, id: str | None) -> None:
        """Until the container is healthy, or fail with the last lines it wrote."""
        container = step.subject if step.kind == "create" else self.release.container(step.subject.container)
        id = id or step.subject.id
        limit = container.health["timeout_s"]
        started = time.monotonic()
        reason = self._ask_until_healthy(container, step.slot, id, started + limit)
        if reason:
            waited = int(time.monotonic() - started)
            log = self.engine.log_end(id) or "(nothing)"
            raise EstateError(
                f"{name} did not become healthy in {waited} s (limit {limit} s): {reason}\nIt wrote last:\n{log}",
                container=name,
                log=log.splitlines(),
            )

    def _ask_until_healthy(self, container: Container, slot: str, id: str, deadline: float) -> str:
        """Empty once it is healthy; otherwise the reason at the deadline. It is asked at least once."""
        while True:
            reason = self._ask(container, slot, id)
            if not reason or time.monotonic() >= deadline:
                return reason
            inspected = self.engine.inspect(id)
            if inspected["RestartCount"] >= RESTARTS:
                return f"it ended {RESTARTS} times, last with code {inspected['State']['ExitCode']}"
            time.sleep(min(container.health["interval_s"], max(0.1, deadline - time.monotonic())))

    def _ask(self, container: Container, slot: str, id: str) -> str:
        # Another container may answer on a port of one that ended, and none can run a command in it.
        state = self.engine.inspect(id)["State"]
        if not state["Running"] or state["Restarting"]:
            return f"it is {state['Status']}, code {state['ExitCode']} {state['Error']}".rstrip()
        asked = container.health["http"]
        if asked is None:
            return health.ask_command(self.engine, id, container.health["command"])
        ports = self.release.ports(container, slot)
        port = next(one for one in ports if one["container_port"] == asked["port"])
        return health.ask_http(port["address"], port["port"], asked)

    def _go_back(self, new: list[Step], created: dict[str, str], retired: list[Found]) -> str:
        """Take the new away and start the old where it was stopped; a sentence on what serves now."""
        gone = {id: name for name, id in created.items()}
        if retired:
            # The release goes as a whole, with what an earlier run had already brought to health in its slot.
            slots = {step.slot or step.subject.slot for step in new}
            old = {one.id for one in retired}
            here = [client.found_from(inspected) for inspected in self.engine.containers(self.release.name)]
            gone.update({one.id: one.name for one in here if one.slot in slots and one.id not in old})
        said = []
        for id, name in gone.items():
            said += self._try(self.engine.remove, id, name)
        if self.release.slots == 1:
            for old in retired:
                said += self._try(self.engine.start, old.id, old.name)
        if retired and self.release.release not in {old.release for old in retired}:
            # Its files go with it, or they would be taken for those of the release before this one.
            shutil.rmtree(Path(self.release.config_root or "/nonexistent") / self.release.release, ignore_errors=True)
        if said:
            return "Going back failed too: " + "; ".join(said)
        if not retired:
            return "There was no release before this one."
        names = ", ".join(f"{old.name} ({old.release})" for old in retired)
        return f"The new release was removed; this serves as before: {names}."

    @staticmethod
    def _try(do: Any, id: str, name: str) -> list[str]:
        try:
            do(id, name)
        except EstateError as err:
            return [str(err)]
        return []


def _of(steps: list[Step], *kinds: str) -> list[Step]:
    """The steps of these kinds, in the plan's order."""
    return [step for step in steps if step.kind in kinds]
