# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what an engine runs to what it should run: which slot, which steps, which controls. No I/O, no Ansible.

A slot (a or b) is a place for one whole release. The old one keeps its slot until the new one is healthy in the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.docker.model import (
    LABEL,
    SLOTS,
    Container,
    Release,
    traits,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

# Limits the kernel of the host may not be able to enforce: the engine's name of the ability, our name of the limit.
LIMITS = {"MemoryLimit": "memory_mb", "PidsLimit": "pids_limit", "CpuCfsQuota": "cpus"}

# What holds for every container, by trait: controls of their own. All else is judged together.
HOLDS = {
    "image": "runs the image that was pinned by digest",
    "user": "does not run as root",
    "capabilities": "has no capabilities",
    "privileged": "is not privileged",
    "security": "cannot gain privileges",
    "read_only": "has a read-only root",
    "memory_mb": "has a memory limit",
    "pids_limit": "has a limit of processes",
    "ports": "publishes the planned ports only",
    "mounts": "sees the planned files only",
}


@dataclass(frozen=True)
class Found:
    """A container that carries our labels. `healthy` is None where nobody asked; `reason` says why it is not."""

    id: str
    name: str
    slot: str
    container: str
    release: str
    spec_hash: str
    image_id: str
    traits: dict
    running: bool
    healthy: bool | None = None
    reason: str = ""

    @property
    def ports(self) -> list[int]:
        """What it publishes on the host."""
        return [int(port.split("->")[0].rpartition(":")[2]) for port in self.traits["ports"]]


@dataclass(frozen=True)
class State:
    """What is on the host. `images` maps a reference to the engine's id of it, `networks` a name to its subnet.

    engine: False where Docker is not there (yet). unlimited: limits this kernel does not know.
    directories: the names under config_root, newest first.
    """

    engine: bool = True
    containers: tuple[Found, ...] = ()
    images: dict[str, str] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    unlimited: frozenset[str] = frozenset()
    directories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """What apply() does for a change: the kind of step, and the container or thing it is about.

    kind: pull, network, clear (a half release out of the way), create, start, restart, retire (the old), directory.
    """

    kind: str
    subject: Any
    slot: str = ""


def drift(release: Release, found: Found, state: State) -> dict:
    """How a container differs from the release in its slot: {trait: (observed, expected)}; empty when it conforms."""
    container = release.container(found.container)
    if container is None:
        return {"container": (found.container, None)}
    body = release.body(container, found.slot)
    expected = traits(body, body["HostConfig"])
    differs = {
        key: (found.traits.get(key), value)
        for key, value in expected.items()
        if key not in state.unlimited and found.traits.get(key) != value
    }
    if found.release != release.release:
        differs["release"] = (found.release, release.release)
    if found.spec_hash != body["Labels"][f"{LABEL}spec-hash"]:
        differs["spec-hash"] = (found.spec_hash[:12], body["Labels"][f"{LABEL}spec-hash"][:12])
    known = state.images.get(container.image)
    if known and found.image_id != known:
        differs["image_id"] = (found.image_id, known)
    return differs


def target_slot(release: Release, state: State) -> str:
    """Where the release is or belongs.

    The slot that already holds (a part of) exactly this release: what is missing is added, what stopped is started.
    Otherwise the slot that serves least: nothing in it, or what a killed run left.
    """
    worth = {}
    for slot in SLOTS:
        there = [one for one in state.containers if one.slot == slot]
        wanted = [one for one in there if release.container(one.container)]
        if wanted and not any(drift(release, one, state) for one in wanted):
            worth[slot] = (sum(bool(one.healthy) for one in wanted), len(wanted))
    if worth:
        return max(sorted(worth), key=lambda slot: worth[slot])

    def serves(slot: str) -> tuple:
        there = [one for one in state.containers if one.slot == slot]
        return (sum(bool(one.healthy) for one in there), sum(one.running for one in there), len(there))

    return min(SLOTS, key=serves)


def serving_slot(release: Release, state: State) -> str:
    """The slot with most healthy containers; of two that serve alike, the one the plan will keep."""
    kept = target_slot(release, state)

    def serves(slot: str) -> tuple:
        there = [one for one in state.containers if one.slot == slot]
        return (sum(bool(one.healthy) for one in there), sum(one.running for one in there), len(there), slot == kept)

    return max(SLOTS, key=serves)


def plan(release: Release, state: State) -> list[Change]:
    """The changes that lead to exactly this release, healthy, and nothing else of its name."""
    slot = target_slot(release, state)
    changes = [
        Change(f"image {image}", "create", after="pulled", data=Step("pull", image))
        for image in sorted({one.image for one in release.containers})
        if image not in state.images
    ]
    changes += _network_changes(release, state)
    here = {one.container: one for one in state.containers if one.slot == slot and release.container(one.container)}
    fresh = any(drift(release, one, state) for one in here.values())
    if fresh:
        changes += [_delete(one, "clear") for one in here.values()]
        here = {}
    before = {one.container: one for one in state.containers if one.slot != slot}
    for container in release.containers:
        found = here.get(container.name)
        if found is None:
            changes.append(_create(release, container, slot, before.get(container.name)))
        elif not found.running:
            change = Change(f"container {found.name}", "start", "stopped", "running", data=Step("start", found, slot))
            changes.append(change)
        elif found.healthy is False:
            what = f"unhealthy: {found.reason}"
            change = Change(f"container {found.name}", "restart", what, "healthy", data=Step("restart", found, slot))
            changes.append(change)
    stays = {one.id for one in here.values()}
    cleared = {change.data.subject.id for change in changes if change.data.kind == "clear"}
    changes += [_delete(one, "retire") for one in state.containers if one.id not in stays | cleared]
    return changes + _directory_changes(release, state)


def _network_changes(release: Release, state: State) -> list[Change]:
    name, subnet = release.network["name"], release.network["subnet"]
    if name not in state.networks:
        return [Change(f"network {name}", "create", after=f"subnet {subnet}", data=Step("network", release.network))]
    if state.networks[name] != subnet:
        raise EstateError(
            f"the network {name} has the subnet {state.networks[name]}, planned is {subnet}: stop its containers and "
            "remove it (without a docker command: docker.from_env().networks in Python), or plan the subnet it has"
        )
    return []


def _create(release: Release, container: Container, slot: str, old: Found | None) -> Change:
    body = release.body(container, slot)
    after = text(traits(body, body["HostConfig"]), release.release)
    before = text(old.traits, old.release) if old else None
    name = release.container_name(container, slot)
    return Change(f"container {name}", "create", before, after, data=Step("create", container, slot))


def _delete(found: Found, kind: str) -> Change:
    before = text(found.traits, found.release)
    return Change(f"container {found.name}", "delete", before, data=Step(kind, found, found.slot))


def _directory_changes(release: Release, state: State) -> list[Change]:
    """Files of releases nobody uses go, except those of the release before this one: it may be wanted again."""
    if release.config_root is None:
        return []
    others = [
        name
        for name in state.directories
        if name != release.release and len(name) == len(release.release) and set(name) <= set("0123456789abcdef")
    ]
    return [
        Change(f"directory {release.config_root}/{name}", "delete", "present", data=Step("directory", name))
        for name in others[1:]
    ]


def text(of: dict, release: str) -> str:
    """A container in lines, for the diff."""
    return "".join(f"{key}: {value}\n" for key, value in [("release", release), *of.items()])


def controls(release: Release, state: State) -> list[Control]:
    """What must hold for each container of the release, judged in the slot that serves, and that nothing else runs."""
    slot = serving_slot(release, state)
    found = {one.container: one for one in state.containers if one.slot == slot}
    result = []
    for container in release.containers:
        result += _container_controls(release, container, slot, found.get(container.name), state)
    wanted = {release.container_name(one, slot) for one in release.containers}
    others = sorted(one.name for one in state.containers if one.name not in wanted)
    title = f"Nothing but one release runs as {release.name}"
    return [*result, Control.check(f"containers.{release.name}.exclusive", title, others, [])]


def _container_controls(release: Release, container: Container, slot: str, found: Found | None, state: State):
    id, name = f"containers.{release.name}.{container.name}", release.container_name(container, slot)
    status = "missing"
    if found is not None:
        status = "stopped" if not found.running else "healthy" if found.healthy else f"unhealthy: {found.reason}"
    yield Control.check(f"{id}.health", f"{name} runs and is healthy", status, "healthy")
    if found is None:
        return  # What is not there has no rights to judge.
    body = release.body(container, found.slot)
    expected = traits(body, body["HostConfig"])
    has = found.traits
    for key, holds in HOLDS.items():
        title = f"{name} {holds}"
        if key in state.unlimited:
            reason = "the kernel of this host has no such limit"
            yield Control(f"{id}.{key}", title, "exempt", has.get(key), expected[key], reason)
        else:
            yield Control.check(f"{id}.{key}", title, has.get(key), expected[key])
    differs = {key: sides for key, sides in drift(release, found, state).items() if key not in HOLDS}
    observed, planned = ({key: sides[side] for key, sides in differs.items()} for side in (0, 1))
    yield Control.check(f"{id}.settings", f"{name} is of the planned release in all else", observed, planned)
