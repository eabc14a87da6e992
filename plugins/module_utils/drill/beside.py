# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recovery point restored on the keeper beside everything else, and neutral. Drills and copies begin with it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.drill.plan import Restored
from ansible_collections.retailerp.estate.plugins.module_utils.drill.server import PORT, Server
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan as points
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import restic, restore
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.database import Filestore
from ansible_collections.retailerp.estate.plugins.module_utils.host import room
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.odoo import neutral
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.neutral_store import Copy
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

#: Longer than the log of a quiet hour may wait to be archived.
ARCHIVED_S = 600
#: How long the keeper, or a lock that a killed run left, may keep the files' repository to itself.
LOCKED_S, ASK_EVERY_S = 3600, 30


def chosen(options: dict[str, Any], repository: restic.Repository) -> tuple[points.Point, dict[str, Any]]:
    """The point of the options' name, and its record."""
    if not restic.ready(options):
        raise EstateError("this host cannot read recovery points; run playbook filestore")
    point = points.named(points.points(repository.snapshots()), options["name"])
    try:
        return point, json.loads(repository.text(point.record, points.RECORD_FILE))
    except ValueError as err:
        raise EstateError(f"the record of {point.name} is none: {err}") from err


@contextlib.contextmanager
def failing(found: Restored, phase: str) -> Iterator[None]:
    """Note why a phase did not end well."""
    try:
        yield
    except (EstateError, OSError) as err:
        found.failed[phase] = str(err)
        raise


@contextlib.contextmanager
def timed(found: Restored, phase: str) -> Iterator[None]:
    """Note how long a phase took, or why it did not end well."""
    began = time.monotonic()
    with failing(found, phase):
        yield
    found.phases[phase] = time.monotonic() - began


def refuse_others(directory: str, mark: str, what: str) -> None:
    """Raises EstateError where a directory holds something and not this mark: it is not ours to remove."""
    if os.path.isdir(directory) and os.listdir(directory) and not os.path.exists(f"{directory}/{mark}"):
        raise EstateError(f"{directory} holds something that is {what}; name a directory that may be removed")


def remove(directory: str, mark: str) -> None:
    """A directory with this mark, which goes last: what a killed run left of it is still told from somebody else's."""
    for name in set(os.listdir(directory)) - {mark} if os.path.isdir(directory) else ():
        path = os.path.join(directory, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
    shutil.rmtree(directory, ignore_errors=True)


class Beside:
    """One restore below a directory of its own, which goes with it.

    options: root (that directory), stanza, database, user, uid (of the files' owner), longest_s, and of a drill the
    store that the database comes from.
    """

    def __init__(self, options: dict[str, Any], mark: str, system: System | None = None) -> None:
        """mark: a file that tells the directory from somebody else's."""
        self._options, self._system = options, system or System()
        self.root, self._mark = options["root"], mark
        self.server = Server(self.root, self._system)
        self.database = {"socket": self.server.socket, "port": PORT, "name": options["database"]}
        self.database["user"] = options["user"]
        self.files = f"{self.root}/files"
        self.filestore = f"{self.files}/filestore/{options['database']}"

    def refuse_others(self) -> None:
        """Raises EstateError where the directory is not ours to remove."""
        refuse_others(self.root, self._mark, "not of a run")

    def make(self, found: Restored) -> None:
        """An empty directory that says whose it is, where there is room for the point.

        The keeper's disk is the stores' too, where they are a directory: a full one would stop its backups.
        """
        with failing(found, "database"):
            size = self.server.size(self._options["stanza"]) + found.point.bytes
            room.refuse(os.path.dirname(self.root), size)
        self._system.make_private(self.root)
        self._system.write(f"{self.root}/{self._mark}", b"", 0, 0, 0o600)
        # The database's server is another user, as a drill's container is, and each has a directory of its own below.
        os.chmod(self.root, 0o711)

    def clear(self) -> None:
        """What this run made, or one that was killed."""
        with contextlib.suppress(EstateError):
            self.server.stop()
        remove(self.root, self._mark)

    def lay(self, found: Restored, repository: restic.Repository) -> None:
        """Database and files of the point, and what is to be seen of them."""
        said, point, files = self._options, found.point, Filestore(self.database)
        owner, store = (said["uid"], said["uid"]), said.get("store")
        self.server.make(said["uid"])
        with timed(found, "archive"):
            self.server.await_log(said["stanza"], point.wal, ARCHIVED_S, store)
        with timed(found, "database"):
            self.server.restore(said["stanza"], point.lsn, point.timeline, said["longest_s"], store)
            self.server.start(said["database"], said["user"])
        with timed(found, "filestore"):
            restore.make(self.files, owner)
            # What lies in it is as in a filestore, for everybody to read; here nobody else comes in.
            os.chmod(self.files, 0o700)
            seen = restore.read(repository, point.name, self.filestore, files.attachments())
            self._when_free(lambda: restore.carry_out(repository, seen, self.filestore, owner, said["longest_s"]))
            seen = restore.read(repository, point.name, self.filestore, files.attachments())
            found.attachments, found.damaged = len(seen.wanted.files), tuple(sorted(seen.damaged))
            found.rows, found.modules = files.rows(), files.modules()

    def _when_free(self, work: Callable[[], None]) -> None:
        """Do what the keeper's own turn locks out: with a lock, lest it clears away what is being read."""
        for _time in range(LOCKED_S // ASK_EVERY_S):
            try:
                return work()
            except restic.RepositoryLocked:
                self._system.pause(ASK_EVERY_S)
        return work()

    def neutralise(self, url: str) -> Copy:
        """Let the restored database act on nobody, and see that it does not."""
        copy = Copy(self.database)
        copy.stop(neutral.plan(copy.look(), url))
        left = neutral.plan(copy.look(), url)
        if left:
            raise EstateError(f"the copy still acts: {', '.join(change.resource for change in left)}")
        return copy
