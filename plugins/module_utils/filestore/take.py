# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a recovery point: the filestore after the database's backup, and a record when both are proven whole."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import gate, plan
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.database import Filestore
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.restic import Repository
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

#: How long a collection under way is waited for; Odoo's own deletes some thousand files a second.
PATIENCE_S = 600
#: What is left to do after the files are taken: the proof, and the record.
AFTERWARDS_S = 900


class Places(Protocol):
    """What take() does with a repository; restic.Repository does it."""

    def backup(self, directory: str, host: str, tags: list[str], timeout_s: float) -> Any: ...

    def keep(self, text: str, name: str, host: str, tags: list[str]) -> Any: ...

    def names(self, id: str, below: str) -> set[str]: ...

    def unlock(self) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """A point that is to be there.

    name: the point's; label: the database's backup that was taken before it; directory: the filestore of the database;
    estate: the estate's id; parts: what else belongs into the record; timeout_s: how long taking the files may last.
    """

    name: str
    label: str
    directory: str
    estate: str
    parts: dict[str, Any] = field(default_factory=dict)
    timeout_s: float = 3600


@dataclass(frozen=True)
class Found:
    """What was read: whether there is a repository, its points, and what the gate answers."""

    there: bool = False
    points: tuple[plan.Point, ...] = ()
    gate: tuple[Control, ...] = ()


def read(repository: Repository) -> Found:
    """The repository as it is. Its gate is tried as an intruder would."""
    there = repository.there()
    known = tuple(plan.points(repository.snapshots())) if there else ()
    found = repository.gate()
    return Found(there, known, tuple(gate.controls(found)) if found else ())


def refusal(options: dict[str, Any]) -> str | None:
    """Why this point cannot be taken, before anything is asked."""
    if options["name"] is None:
        return None
    if not re.fullmatch(plan.NAME, options["name"]) or options["name"] == "latest":
        return f"name: {options['name']!r} is no name of a point (small letters, digits, dots, dashes; not latest)"
    if not re.fullmatch(r"[\w.:-]{1,80}", options["label"]):
        return f"label: {options['label']!r} is not the name of a backup"
    return None


def plan_of(wanted: Wanted | None, found: Found) -> list[Change]:
    """The repository if there is none, and the point if one is wanted and not listed."""
    changes = [] if found.there else [Change("filestore repository", "create", None, "restic, version 2")]
    if wanted and not any(point.is_named(wanted.name) for point in found.points):
        after = {"label": wanted.label, "directory": wanted.directory}
        changes.append(Change(f"recovery point {wanted.name}", "create", None, after, data="point"))
    return changes


def take(wanted: Wanted, repository: Places, database: Filestore, about: Callable[[], dict]) -> plan.Attachments:
    """The point, or EstateError and no point. Returns the attachments whose files were lost before.

    Order matters. Files are written before their rows are committed, and removed by the collection alone. So with the
    collection held off, every file that a row names at some place in the log is in a snapshot that begins after it.
    """
    if not os.path.isdir(wanted.directory):
        raise EstateError(f"{wanted.directory} is no directory: where does Odoo keep its files?")
    tags = [plan.FILES, f"name={wanted.name}"]
    # Only this host knows that a client of its own is gone; to the keeper such a lock is one to wait for.
    repository.unlock()
    with database.paused(PATIENCE_S, int(wanted.timeout_s) + AFTERWARDS_S) as held:
        place, known = held.place(), held.about()
        rows = held.attachments()
        lost = [name for name in rows.files if not os.path.isfile(f"{wanted.directory}/{name}")]
        taken = repository.backup(wanted.directory, wanted.estate, tags, wanted.timeout_s)
        left = set(rows.missing_in(repository.names(taken.id, wanted.directory))) - set(lost)
        if left:
            raise EstateError(
                f"{len(left)} attachments vanished while the snapshot was taken, {sorted(left)[0]} for one: something "
                "else than Odoo's scheduled job removes files. There is no point; take it again",
                vanished=sorted(left)[:20],
            )
        held.still()
        counts = {"attachments": len(rows.files), "missing": len(lost), "bytes": taken.bytes}
        where = {"label": wanted.label, "lsn": place.lsn, "wal": place.wal}
        parts = {
            "database": {**where, "at": place.at, **known},
            "filestore": {"path": wanted.directory, "files": taken.files, **counts, "lost": sorted(lost)[:1000]},
            **wanted.parts,
            **about(),
        }
        record = plan.record(wanted.name, taken.id, parts)
        repository.keep(record, plan.RECORD_FILE, wanted.estate, plan.record_tags(wanted.name, taken.id, where, counts))
    return plan.Attachments({name: rows.files[name] for name in lost})


def versions(system: System) -> dict:
    """Of the programs that made the point."""
    return {"versions": {name: _first_line(system, name, word) for name, word in (("restic", "version"),)}}


def certificates(system: System, patterns: list[str]) -> dict:
    """Whom the certificates of this host are for, until when, and their fingerprints; nothing secret."""
    found = []
    for path in sorted(path for pattern in patterns for path in glob.glob(pattern)):
        words = ["openssl", "x509", "-noout", "-subject", "-issuer", "-enddate", "-fingerprint", "-sha256", "-in", path]
        code, out, _err = system.run(words)
        if code == 0:
            found.append({"path": path, **dict(line.partition("=")[::2] for line in out.splitlines())})
    return {"certificates": found}


def _first_line(system: System, program: str, word: str) -> str:
    _code, out, _err = system.run([program, word])
    return (out.strip().splitlines() or [""])[0]


def controls(found: Found, now: float, oldest_s: float) -> list[Control]:
    """What must hold of the points of an estate."""
    newest = found.points[-1] if found.points else None
    age = round((now - newest.at) / 3600, 1) if newest else None
    fresh = newest is not None and now - newest.at <= oldest_s
    return [
        *found.gate,
        Control.check("filestore.repository", "There is a repository that this host's key opens", found.there, True),
        Control(
            "filestore.point.age",
            "The newest complete recovery point is not too old, in hours",
            "pass" if fresh else "fail",
            age,
            f"at most {round(oldest_s / 3600, 1)}",
            "" if fresh else "run playbook backup, which takes one, and see why the timer did not",
        ),
        Control.check(
            "filestore.point.missing",
            "No attachment of the newest recovery point has lost its file",
            newest.missing if newest else 0,
            0,
            "they were gone from the filestore before; the point's record names them, an older point may have them",
        ),
    ]
