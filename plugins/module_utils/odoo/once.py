# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container of a release that does one thing and ends: installing or upgrading modules."""

from __future__ import annotations

import os
import time

from ansible_collections.retailerp.estate.plugins.module_utils.docker.client import Engine
from ansible_collections.retailerp.estate.plugins.module_utils.docker.model import LABEL, Container, Release
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.conf import HOME
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

LOGS = "/var/log/estate"
INTERVAL_S = 2
#: One process that loads the modules and ends: no workers, no scheduler, no limit but the container's.
ALONE = ["--no-http", "--workers=0", "--max-cron-threads=0", "--limit-memory-hard=0", "--stop-after-init"]
SERVER = ["odoo", "-c", f"{HOME}/odoo.conf", *ALONE]
#: Lines of Odoo's log worth quoting when it failed.
TELLING = (" ERROR ", " CRITICAL ", "Traceback", "Error:", "Exception:")


class Once:
    """Runs Odoo once. Only one at a time: the container's name is the lock, over any number of controllers."""

    def __init__(self, name: str, network: dict, container: dict, memory_mb: int, timeout_s: float) -> None:
        """container: one of the release's, as container_release takes it; memory_mb: this run's own limit."""
        self._engine = _LoggingEngine()
        self._name = name
        self._network = network
        self._timeout_s = timeout_s
        fields = {key: container[key] for key in ("image", "user", "environment", "extra_hosts", "mounts", "tmpfs")}
        self._container = Container(name="once", memory_mb=memory_mb, pids_limit=512, health={}, **fields)

    @property
    def log(self) -> str:
        """The file on the host that has the last run's output."""
        return f"{LOGS}/{self._name}.log"

    def finish_earlier(self) -> bool:
        """Wait for a run whose controller went away, and clear it; whether there was one."""
        earlier = self._engine.find(self._name)
        if earlier is None:
            return False
        self._wait(earlier)
        return True

    def run(self, arguments: list[str]) -> None:
        """Run Odoo with these arguments and wait. Raises EstateError with the telling lines when it fails."""
        if not self._engine.reachable():
            raise EstateError("there is no Docker engine on this host, or python3-docker is missing")
        if self._engine.image_id(self._container.image) is None:
            self._engine.pull(self._container.image)
        if self._engine.subnet(self._network["name"]) is None:
            self._engine.create_network(self._network["name"], self._network["subnet"])
        release = Release(name=self._name, release="", network=self._network, slots=1, containers=[])
        body = release.body(self._container, "a")
        body["Cmd"] = [*SERVER, *arguments]
        body["HostConfig"]["RestartPolicy"] = {"Name": "no"}
        body["Labels"] = {f"{LABEL}once": self._name}
        id = self._engine.create(self._name, body)
        self._engine.start(id, self._name)
        code, output = self._wait(id)
        if code != 0:
            lines = output.splitlines()
            telling = [line for line in lines if any(mark in line for mark in TELLING)] or lines
            raise EstateError(f"Odoo ended with {code}: {' | '.join(telling[-6:])}. The whole output is in {self.log}")

    def _wait(self, id: str) -> tuple[int, str]:
        """Until the container ended: its exit code and output. The output is kept, the container is not."""
        end = time.monotonic() + self._timeout_s
        while True:
            state = self._engine.inspect(id)["State"]
            if state["Status"] not in ("running", "restarting", "paused"):
                break
            if time.monotonic() > end:
                raise EstateError(
                    f"Odoo has been at work for {self._timeout_s:.0f} s and is not done; the container {self._name} "
                    f"goes on, and the next run waits for it. Its log is {self.log} when it is done."
                )
            time.sleep(INTERVAL_S)
        output = self._engine.whole_log(id)
        _keep(self.log, output)
        self._engine.remove(id, self._name)
        return state["ExitCode"], output


class _LoggingEngine(Engine):
    """The engine, with what only a run that ends needs."""

    def find(self, name: str) -> str | None:
        """The id of the container of this name."""
        if not self.reachable():
            return None
        for one in self._api.containers(all=True, filters={"name": f"^/{name}$"}):
            return one["Id"]
        return None

    def whole_log(self, id: str) -> str:
        """All a container wrote."""
        return self._api.logs(id).decode("utf-8", "replace")


def _keep(path: str, text: str) -> None:
    """Keep a log for the operator; it names people's data, so only root reads it."""
    os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
