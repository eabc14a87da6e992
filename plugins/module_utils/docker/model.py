# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release of containers is: its options, checked, and the requests the engine gets for it. No I/O."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

LABEL = "retailerp.estate."
SLOTS = ("a", "b")
MIB = 1024 * 1024

_DIGEST = re.compile(r"^[^@\s]+@sha256:[0-9a-f]{64}$")
_RELEASE = re.compile(r"^[0-9a-f]{8,64}$")
_NAME = re.compile(r"^[a-z][a-z0-9-]{0,40}$")
_ROOT_USERS = {"", "0", "root"}
_ENGINE_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock")


@dataclass(frozen=True)
class Container:
    """One container of a release; the fields are the module's options of the same name.

    memory_mb is in MiB, cpus in processors, the times in seconds; ports and mounts are lists of plain dicts.
    """

    name: str
    image: str
    user: str
    memory_mb: int
    pids_limit: int
    health: dict
    command: list[str] = field(default_factory=list)
    cpus: float | None = None
    mounts: list[dict] = field(default_factory=list)
    ports: list[dict] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    extra_hosts: dict[str, str] = field(default_factory=dict)
    tmpfs: dict[str, str] = field(default_factory=dict)
    stop_timeout_s: int = 30


@dataclass(frozen=True)
class Release:
    """All containers of one name that live and die together.

    slots: 2 when the old and the new release can serve side by side, 1 when they share their published ports.
    overlap_s: how long both serve before the old one takes no new connections; drain_s: how long it then lives before
    it is stopped. config_root: where each release keeps its files.
    """

    name: str
    release: str
    network: dict
    slots: int
    containers: list[Container]
    overlap_s: int = 0
    drain_s: int = 0
    config_root: str | None = None

    def container(self, name: str) -> Container | None:
        """The container of this name, None when the release has none."""
        return next((one for one in self.containers if one.name == name), None)

    def container_name(self, container: Container, slot: str) -> str:
        """What the engine calls it, for example shop-odoo-web-a."""
        return f"{self.name}-{container.name}-{slot}"

    def ports(self, container: Container, slot: str) -> list[dict]:
        """What the container publishes in this slot; with one slot both share the ports."""
        return [port for port in container.ports if self.slots == 1 or port["slot"] == slot]

    def body(self, container: Container, slot: str) -> dict:
        """The engine's "create container" request, with what every container of an estate has: no root, no rights."""
        ports = self.ports(container, slot)
        host: dict[str, Any] = {
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "ReadonlyRootfs": True,
            "Init": True,
            "RestartPolicy": {"Name": "unless-stopped"},
            "Memory": container.memory_mb * MIB,
            "MemorySwap": container.memory_mb * MIB,
            "PidsLimit": container.pids_limit,
            "NanoCpus": int((container.cpus or 0) * 1_000_000_000),
            "PortBindings": {
                f"{port['container_port']}/tcp": [
                    {"HostIp": other["address"], "HostPort": str(other["port"])}
                    for other in ports
                    if other["container_port"] == port["container_port"]
                ]
                for port in ports
            },
            "Mounts": [
                {
                    "Type": mount["type"],
                    "Source": mount["source"],
                    "Target": mount["target"],
                    "ReadOnly": mount["read_only"],
                }
                for mount in container.mounts
            ],
            "Tmpfs": dict(container.tmpfs),
            "ExtraHosts": sorted(f"{name}:{address}" for name, address in container.extra_hosts.items()),
            "NetworkMode": self.network["name"],
        }
        body: dict[str, Any] = {
            "Image": container.image,
            "User": container.user,
            "Env": sorted(f"{name}={value}" for name, value in container.environment.items()),
            "ExposedPorts": {key: {} for key in host["PortBindings"]},
            "StopTimeout": container.stop_timeout_s,
            # Health is asked for from the host, so that an image without a shell has one too.
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": host,
        }
        if container.command:
            body["Cmd"] = list(container.command)
        identity = json.dumps([self.release, body], sort_keys=True)
        body["Labels"] = {
            f"{LABEL}release-name": self.name,
            f"{LABEL}release": self.release,
            f"{LABEL}slot": slot,
            f"{LABEL}container": container.name,
            f"{LABEL}spec-hash": hashlib.sha256(identity.encode()).hexdigest(),
        }
        return body


def traits(config: dict, host: dict) -> dict:
    """What a container really has, in the same words for a create request and for what the engine reports.

    config, host: the request and its HostConfig, or Config and HostConfig of an inspected container.
    """
    ports = host.get("PortBindings") or {}
    mounts = host.get("Mounts") or []
    return {
        "image": config.get("Image"),
        "user": config.get("User"),
        "capabilities": {"add": sorted(host.get("CapAdd") or []), "drop": sorted(host.get("CapDrop") or [])},
        "privileged": bool(host.get("Privileged")),
        "security": sorted(host.get("SecurityOpt") or []),
        "read_only": bool(host.get("ReadonlyRootfs")),
        "init": bool(host.get("Init")),
        "restart": (host.get("RestartPolicy") or {}).get("Name"),
        "memory_mb": (host.get("Memory") or 0) // MIB,
        "cpus": (host.get("NanoCpus") or 0) / 1_000_000_000,
        "pids_limit": host.get("PidsLimit") or 0,
        "ports": sorted(
            f"{where.get('HostIp', '')}:{where.get('HostPort', '')}->{port}"
            for port in ports
            for where in ports[port] or []
        ),
        "mounts": sorted(
            f"{one['Type']} {one['Source']} at {one['Target']}{' read-only' if one.get('ReadOnly') else ''}"
            for one in mounts
        )
        + sorted(host.get("Binds") or []),
        "tmpfs": host.get("Tmpfs") or {},
        "extra_hosts": sorted(host.get("ExtraHosts") or []),
        "network": host.get("NetworkMode"),
    }


def release_from(params: dict) -> Release:
    """The release the module's options describe; raises EstateError with everything that is wrong with it."""
    containers = [Container(**{**one, "user": str(one["user"])}) for one in params["containers"]]
    release = Release(**{**params, "containers": containers})
    problems = list(_problems(release))
    if problems:
        raise EstateError(f"the release {release.name} is refused: " + "; ".join(problems), problems=problems)
    return release


def _problems(release: Release):
    if not _NAME.match(release.name):
        yield f"name: {release.name!r} is not lower-case letters, digits and dashes"
    if not _RELEASE.match(release.release):
        yield f"release: {release.release!r} is not a hash of 8 to 64 hexadecimal digits"
    if not release.containers:
        yield "containers: there is none"
    names = [one.name for one in release.containers]
    yield from (f"containers: {name} is there twice" for name in sorted(set(names)) if names.count(name) > 1)
    taken: dict[tuple, str] = {}
    for one in release.containers:
        yield from (f"containers.{one.name}.{problem}" for problem in _container_problems(release, one))
        for port in one.ports:
            key = (port["address"], port["port"])
            where = f"{one.name} in slot {port['slot']}"
            if key in taken:
                yield f"containers.{one.name}.ports: {key[0]}:{key[1]} is taken by {taken[key]}"
            taken[key] = where


def _container_problems(release: Release, one: Container):
    if not _NAME.match(one.name):
        yield f"name: {one.name!r} is not lower-case letters, digits and dashes"
    if not _DIGEST.match(one.image):
        yield f"image: {one.image!r} is not pinned by digest (name@sha256:…)"
    if one.user.split(":", 1)[0] in _ROOT_USERS:
        yield f"user: {one.user!r} is root; name another"
    yield from _port_problems(release, one)
    targets = [mount["target"] for mount in one.mounts] + list(one.tmpfs)
    yield from (f"mounts: {target} is there twice" for target in sorted(set(targets)) if targets.count(target) > 1)
    for mount in one.mounts:
        if mount["type"] == "bind" and not mount["source"].startswith("/"):
            yield f"mounts: {mount['source']!r} is not an absolute path"
        if mount["source"].rstrip("/") in {"", *_ENGINE_SOCKETS, "/run", "/var/run"}:
            yield f"mounts: {mount['source']!r} would make the container root on the host"
    if (one.health["http"] is None) == (one.health["command"] is None):
        yield "health: name either http or command"
    elif one.health["http"] and one.health["http"]["port"] not in {port["container_port"] for port in one.ports}:
        yield f"health.http.port: {one.health['http']['port']} is not published, so it cannot be asked from the host"


def _port_problems(release: Release, one: Container):
    for port in one.ports:
        try:
            if ipaddress.ip_address(port["address"]).is_unspecified:
                yield f"ports: {port['address']}:{port['port']} would listen on every address; name one"
        except ValueError:
            yield f"ports: {port['address']!r} is not an address"
        if release.slots == 1 and port["slot"] != "a":
            yield f"ports: {port['port']} is for slot {port['slot']}, and there is one slot"
    inside = {slot: sorted(p["container_port"] for p in one.ports if p["slot"] == slot) for slot in SLOTS}
    if release.slots == 2 and inside["a"] != inside["b"]:
        yield "ports: both slots must publish the same ports of the container"
