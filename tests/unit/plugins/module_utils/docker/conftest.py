# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a release as the module gets them, and an engine that only remembers."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.docker.model import release_from
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

IMAGE = "registry.example/odoo@sha256:" + "1" * 64
OLD, NEW = "a" * 16, "b" * 16


def container(name: str = "web", **changed: Any) -> dict:
    """One container's options, all of them, with a port in each slot."""
    number = sum(map(ord, name)) % 50
    return {
        "name": name,
        "image": IMAGE,
        "user": "101:101",
        "command": [],
        "memory_mb": 256,
        "cpus": None,
        "pids_limit": 64,
        "stop_timeout_s": 1,
        "environment": {},
        "extra_hosts": {"db1": "10.0.0.1"},
        "tmpfs": {"/tmp": "size=1m"},
        "mounts": [{"type": "bind", "source": "/etc/estate/x", "target": "/etc/x", "read_only": True}],
        "ports": [
            {"slot": "a", "address": "10.0.0.21", "port": 8000 + number, "container_port": 8069},
            {"slot": "b", "address": "10.0.0.21", "port": 8100 + number, "container_port": 8069},
        ],
        "health": {
            "http": None,
            "command": ["true"],
            "timeout_s": 0,
            "interval_s": 1,
        },
        **changed,
    }


def options(release: str = OLD, *containers: dict, **changed: Any) -> dict:
    """The module's options."""
    return {
        "name": "shop-odoo",
        "release": release,
        "network": {"name": "estate", "subnet": "172.30.1.0/24"},
        "slots": 2,
        "overlap_s": 0,
        "drain_s": 0,
        "config_root": None,
        "containers": list(containers) or [container()],
        **changed,
    }


class Door:
    """A firewall in memory that writes to the engine's log. `shut` has the seconds of each port that is refused."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.shut: dict[int, int] = {}

    def refuse(self, ports: list[int], seconds: int) -> bool:
        self.log += [f"refuse {port}" for port in ports]
        self.shut.update(dict.fromkeys(ports, seconds))
        return False

    def admit(self, ports: list[int]) -> None:
        for port in ports:
            self.shut.pop(port, None)


class Engine:
    """An engine in memory. `ill` names releases and containers that never get healthy; `log` is what was done."""

    def __init__(self) -> None:
        self.there: dict[str, dict] = {}
        self.networks: dict[str, str] = {}
        self.images: dict[str, str] = {}
        self.ill: set[str] = set()
        self.log: list[str] = []
        self.door = Door(self.log)
        self.installed = True

    def reachable(self) -> bool:
        return self.installed

    def unlimited(self) -> frozenset:
        return frozenset()

    def containers(self, name: str) -> list[dict]:
        label = "retailerp.estate.release-name"
        return copy.deepcopy([one for one in self.there.values() if one["Config"]["Labels"][label] == name])

    def inspect(self, id: str) -> dict:
        return copy.deepcopy(self.there[id])

    def image_id(self, reference: str) -> str | None:
        return self.images.get(reference)

    def pull(self, reference: str) -> None:
        self.log.append("pull")
        self.images[reference] = "sha256:" + reference[-8:]

    def subnet(self, network: str) -> str | None:
        return self.networks.get(network)

    def create_network(self, name: str, subnet: str) -> None:
        self.networks[name] = subnet

    def create(self, name: str, body: dict) -> str:
        if any(one["Name"] == "/" + name for one in self.there.values()):
            raise EstateError(f"creating {name}: the name is taken")
        self.log.append(f"create {name}")
        self.there[name] = {
            "Id": name,
            "Name": "/" + name,
            "Image": self.images[body["Image"]],
            "Config": {key: value for key, value in body.items() if key != "HostConfig"},
            "HostConfig": copy.deepcopy(body["HostConfig"]),
            "State": {
                "Running": False,
                "Restarting": False,
                "Status": "created",
                "StartedAt": "2026-01-01T00:00:00.0Z",
                "ExitCode": 0,
                "Error": "",
            },
            "RestartCount": 0,
        }
        return name

    def start(self, id: str, name: str) -> None:
        self.log.append(f"start {name}")
        self.there[id]["State"]["Running"] = True

    def restart(self, id: str, name: str) -> None:
        self.log.append(f"restart {name}")

    def stop(self, id: str, name: str) -> None:
        self.log.append(f"stop {name}")
        self.there[id]["State"]["Running"] = False

    def remove(self, id: str, name: str) -> None:
        self.log.append(f"remove {name}")
        self.there.pop(id, None)

    def log_end(self, id: str) -> str:
        return "it is broken"

    def execute(self, id: str, command: list[str]) -> tuple[int, str]:
        release = self.there[id]["Config"]["Labels"]["retailerp.estate.release"]
        return (1, "ill") if {release, id} & self.ill else (0, "")


@pytest.fixture
def engine() -> Engine:
    """A bare engine."""
    return Engine()


@pytest.fixture
def make():
    """Build options and releases: make.container(…), make.options(…), make.release(…)."""

    class Make:
        OLD, NEW, IMAGE = OLD, NEW, IMAGE
        container = staticmethod(container)
        options = staticmethod(options)

        @staticmethod
        def release(*args: Any, **changed: Any):
            return release_from(options(*args, **changed))

    return Make
