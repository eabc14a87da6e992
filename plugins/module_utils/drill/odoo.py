# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Odoo on a restored database and filestore, in a container without any network."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.docker.client import Engine
from ansible_collections.retailerp.estate.plugins.module_utils.docker.model import LABEL, Container, Release
from ansible_collections.retailerp.estate.plugins.module_utils.drill import judge
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.conf import DATA, HOME
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

SOCKET = "/run/drill"
PATIENCE_S = 300
CONF = """\
[options]
addons_path = {home}/addons
data_dir = {data}
db_host = {socket}
db_port = {port}
db_name = {database}
db_user = {user}
list_db = False
http_interface = 127.0.0.1
workers = 0
max_cron_threads = 0
"""


class DrilledOdoo:
    """One container of a drill. root: the drill's directory on this host; data: where filestore/<database> lies."""

    def __init__(
        self, options: dict[str, Any], root: str, data: str, socket: str, system: System | None = None
    ) -> None:
        """options: name (of the container), image, addons (ours, a directory), uid, database, user, port, memory_mb."""
        self._options, self._root, self._data, self._socket = options, root, data, socket
        self._system, self._engine = system or System(), Engine()
        self._id = ""

    def start(self, password: str) -> None:
        """Lay its two files, and start it. password: of the restored administrator, made for this drill."""
        said, uid = self._options, self._options["uid"]
        home = f"{self._root}/odoo"
        self._system.make_directory(home, uid, uid, 0o500)
        self._system.make_directory(f"{home}/addons", uid, uid, 0o500)
        conf = CONF.format(
            home=HOME, data=DATA, socket=SOCKET, **{key: said[key] for key in ("port", "database", "user")}
        )
        asked = {"database": said["database"], "login": "admin", "password": password, "patience_s": PATIENCE_S}
        source = importlib.util.find_spec(judge.__name__).loader.get_source(judge.__name__)
        for name, text in (("odoo.conf", conf), ("judge.json", json.dumps(asked)), ("judge.py", source)):
            self._system.write(f"{home}/{name}", text.encode(), uid, uid, 0o400)
        if not self._engine.reachable():
            raise EstateError("there is no Docker engine on this host, or python3-docker is missing")
        if self._engine.image_id(said["image"]) is None:
            self._engine.pull(said["image"])
        self.remove()
        body = self._body(home)
        self._id = self._engine.create(said["name"], body)
        self._engine.start(self._id, said["name"])

    def _body(self, home: str) -> dict:
        said = self._options
        mounts = [
            (home, HOME, True),
            (said["addons"], f"{HOME}/addons", True),
            (self._data, DATA, False),
            (self._socket, SOCKET, True),
        ]
        container = Container(
            name="drill",
            image=said["image"],
            user=f"{said['uid']}:{said['uid']}",
            command=["odoo", "-c", f"{HOME}/odoo.conf"],
            memory_mb=said["memory_mb"],
            pids_limit=256,
            health={},
            environment={"HOME": DATA, "PYTHONDONTWRITEBYTECODE": "1"},
            mounts=[{"type": "bind", "source": one, "target": to, "read_only": only} for one, to, only in mounts],
            tmpfs={"/tmp": f"rw,nosuid,nodev,noexec,size=256m,uid={said['uid']},gid={said['uid']},mode=0700"},
        )
        # Nothing that a restored shop would send leaves this container, whatever was overlooked.
        release = Release(name=said["name"], release="", network={"name": "none"}, slots=1, containers=[])
        body = release.body(container, "a")
        body["HostConfig"]["RestartPolicy"] = {"Name": "no"}
        body["Labels"] = {f"{LABEL}drill": said["name"]}
        return body

    def answers(self) -> dict[str, Any]:
        """What it says when it is used; EstateError when it says nothing."""
        code, output = self._engine.execute(self._id, ["python3", f"{HOME}/judge.py", f"{HOME}/judge.json"])
        lines = [line for line in output.splitlines() if line.startswith("{")]
        if code != 0 or not lines:
            end = " | ".join(self._engine.log_end(self._id).splitlines()[-6:])
            raise EstateError(f"the restored Odoo could not be asked ({code}): {output.strip()[-300:]} | {end}")
        return json.loads(lines[-1])

    def remove(self) -> None:
        """The container, whatever became of it; nothing happens when there is none."""
        if self._engine.reachable():
            self._engine.remove(self._options["name"], self._options["name"])
