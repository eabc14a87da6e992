# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker engine of this host over the docker SDK (python3-docker 5 and later), in the engine's own words."""

from __future__ import annotations

import contextlib
import traceback
from datetime import datetime, timezone
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.docker.model import LABEL, traits
from ansible_collections.retailerp.estate.plugins.module_utils.docker.plan import LIMITS, Found
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

try:
    import docker
    import docker.errors
    import requests
except ImportError:
    docker = None
    IMPORT_ERROR = traceback.format_exc()
else:
    IMPORT_ERROR = None

SOCKET = "unix:///var/run/docker.sock"
ANSWER_S = 180  # the longest silence of the engine: stopping a container, unpacking a layer
LOG_LINES = 15


@contextlib.contextmanager
def _told(what: str):
    """Turn every error of the SDK into one an operator understands."""
    try:
        yield
    except docker.errors.APIError as err:
        raise EstateError(f"{what}: {err.explanation or err}") from err
    except (docker.errors.DockerException, requests.exceptions.RequestException) as err:
        raise EstateError(f"{what}: {err}") from err


class Engine:
    """The few things a release needs of an engine."""

    def __init__(self) -> None:
        self._api: Any = None

    def reachable(self) -> bool:
        """Whether there is an engine, and the SDK to speak to it."""
        if docker is None:
            return False
        if self._api is None:
            try:
                self._api = docker.APIClient(base_url=SOCKET, version="auto", timeout=ANSWER_S)
            except docker.errors.DockerException:
                return False
        return True

    def unlimited(self) -> frozenset[str]:
        """The limits this host's kernel cannot enforce, by our names."""
        with _told("the engine does not tell what it can"):
            info = self._api.info()
        return frozenset(limit for ability, limit in LIMITS.items() if info.get(ability) is False)

    def containers(self, name: str) -> list[dict]:
        """All containers of this release name as the engine reports them, stopped ones too."""
        with _told("the engine does not list its containers"):
            listed = self._api.containers(all=True, filters={"label": f"{LABEL}release-name={name}"})
            found = []
            for one in listed:
                # It may have gone since it was listed.
                with contextlib.suppress(docker.errors.NotFound):
                    found.append(self._api.inspect_container(one["Id"]))
        return found

    def inspect(self, id: str) -> dict:
        """One container as the engine reports it."""
        with _told(f"container {id}"):
            return self._api.inspect_container(id)

    def image_id(self, reference: str) -> str | None:
        """The engine's id of an image, None where it is not there."""
        with _told(f"image {reference}"):
            try:
                return self._api.inspect_image(reference)["Id"]
            except docker.errors.ImageNotFound:
                return None

    def pull(self, reference: str) -> None:
        """Fetch an image by its digest."""
        repository, digest = reference.split("@", 1)
        with _told(f"pulling {reference}"):
            for line in self._api.pull(repository, tag=digest, stream=True, decode=True):
                if "error" in line:
                    raise EstateError(f"pulling {reference}: {line['error']}")

    def subnet(self, network: str) -> str | None:
        """The subnet of a network, None where it is not there."""
        with _told(f"network {network}"):
            for one in self._api.networks(names=[network]):
                if one["Name"] == network:
                    return ((one.get("IPAM") or {}).get("Config") or [{}])[0].get("Subnet", "")
        return None

    def create_network(self, name: str, subnet: str) -> None:
        """Make a bridge network."""
        pool = docker.types.IPAMPool(subnet=subnet)
        with _told(f"creating the network {name}"):
            ipam = docker.types.IPAMConfig(pool_configs=[pool])
            self._api.create_network(name, driver="bridge", ipam=ipam, labels={f"{LABEL}network": name})

    def create(self, name: str, body: dict) -> str:
        """Make a container, not started; its id."""
        with _told(f"creating {name}"):
            return self._api.create_container_from_config(body, name)["Id"]

    def start(self, id: str, name: str) -> None:
        """Start a container, or let a paused one go on; nothing happens when it runs."""
        with _told(f"starting {name}"):
            if self._api.inspect_container(id)["State"].get("Paused"):
                self._api.unpause(id)
            else:
                self._api.start(id)

    def restart(self, id: str, name: str) -> None:
        """Stop a container in its own time and start it."""
        with _told(f"restarting {name}"):
            self._api.restart(id, timeout=self._patience(id))

    def stop(self, id: str, name: str) -> None:
        """Stop a container in its own time; nothing happens when it is stopped."""
        with _told(f"stopping {name}"):
            self._api.stop(id, timeout=self._patience(id))

    def _patience(self, id: str) -> int:
        return self._api.inspect_container(id)["Config"].get("StopTimeout") or 10

    def remove(self, id: str, name: str) -> None:
        """Remove a container, running or not, and its anonymous volumes; nothing happens when it is gone."""
        with _told(f"removing {name}"), contextlib.suppress(docker.errors.NotFound):
            self._api.remove_container(id, force=True, v=True)

    def log_end(self, id: str) -> str:
        """The last lines a container wrote."""
        with _told(f"log of {id}"):
            return self._api.logs(id, tail=LOG_LINES).decode("utf-8", "replace").strip()

    def execute(self, id: str, command: list[str]) -> tuple[int, str]:
        """Run a command in a running container: its exit code and what it wrote."""
        with _told(f"running {command[0]} in {id}"):
            run = self._api.exec_create(id, command)
            output = self._api.exec_start(run["Id"])
            return self._api.exec_inspect(run["Id"])["ExitCode"], output.decode("utf-8", "replace")


def found_from(inspected: dict) -> Found:
    """What the engine reports of one container, in the plan's words."""
    labels = inspected["Config"]["Labels"]
    return Found(
        id=inspected["Id"],
        name=inspected["Name"].lstrip("/"),
        slot=labels.get(f"{LABEL}slot", ""),
        container=labels.get(f"{LABEL}container", ""),
        release=labels.get(f"{LABEL}release", ""),
        spec_hash=labels.get(f"{LABEL}spec-hash", ""),
        image_id=inspected["Image"],
        traits=traits(inspected["Config"], inspected["HostConfig"]),
        running=bool(inspected["State"]["Running"]) and not inspected["State"].get("Paused"),
    )


def age_s(inspected: dict) -> float:
    """How long ago a container was started, in seconds."""
    stamp = inspected["State"]["StartedAt"][:19]
    started = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - started).total_seconds()
