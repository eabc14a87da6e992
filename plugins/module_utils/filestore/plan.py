# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery points: what one is, which there are, which are old. Pure: no I/O, no Ansible.

A point is two snapshots of one restic repository. The first is the filestore. The second is the record: a document that
names the first, the database's backup and a place in its log. It is written last, and a repository holds a snapshot
whole or not at all: a point that was cut short has no record and is no point.

Times and names in a repository are what the writer said. A host that was broken into can add snapshots with any, and
can take nothing away: so two records of one name are both listed, by names that tell them apart, and what is forgotten
goes by the keeper's own clock.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import Control, EstateError

RECORD, FILES = "estate-point", "estate-files"
RECORD_FILE = "point.json"
VERSION = 1
#: Of a snapshot without a record this much later, the run that made it is over.
UNFINISHED_S = 24 * 3600
NAME = r"[a-z0-9][a-z0-9.-]{0,62}"
_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Snapshot:
    """A snapshot as restic lists it. at: seconds since 1970, as its writer said."""

    id: str
    at: float
    tags: tuple[str, ...]
    paths: tuple[str, ...] = ()

    def said(self, key: str) -> str:
        """The value of a tag `key=value`, empty when it is not there."""
        return next((tag.partition("=")[2] for tag in self.tags if tag.startswith(f"{key}=")), "")


@dataclass(frozen=True)
class Point:
    """A complete recovery point.

    record, files: ids of its two snapshots; path: where the filestore lay; label: the database's backup; lsn, wal: the
    place in the database's log that belongs to the files, and the segment that holds it; missing: attachments whose
    file was lost before the point was taken.
    """

    name: str
    at: float
    record: str
    files: str
    path: str
    label: str
    lsn: str
    wal: str
    attachments: int = 0
    missing: int = 0
    bytes: int = 0

    @property
    def timeline(self) -> int:
        """Which branch of the database's log the place is on; the segment's name begins with it."""
        return int(self.wal[:8], 16)

    def is_named(self, name: str) -> bool:
        """Whether a record of this name is this point, be it the only one or not."""
        return self.name in (name, f"{name}.{self.record[:8]}")

    def report(self) -> dict:
        """The point as it is told."""
        return {**vars(self), "at": iso(self.at), "timeline": self.timeline}


def iso(at: float) -> str:
    """Seconds since 1970 as people read them."""
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def snapshot(listed: Mapping[str, Any]) -> Snapshot:
    """From an entry of `restic snapshots --json`, whose times have nanoseconds and a zone."""
    stamp = re.fullmatch(r"(.{19})(?:\.\d+)?(Z|[+-]\d\d:\d\d)", listed["time"])
    if not stamp:
        raise EstateError(f"snapshot {listed.get('id')} has the time {listed['time']!r}, which is none")
    when = datetime.datetime.fromisoformat(stamp[1] + stamp[2].replace("Z", "+00:00"))
    return Snapshot(listed["id"], when.timestamp(), tuple(listed.get("tags") or ()), tuple(listed.get("paths") or ()))


def record_tags(name: str, files: str, place: Mapping[str, str], counts: Mapping[str, int]) -> list[str]:
    """The tags of a record, so that points are listed without reading one. restic takes no comma in a tag."""
    tags = [RECORD, f"name={name}", f"files={files}"]
    tags += [f"{key}={place[key]}" for key in ("label", "lsn", "wal")]
    return tags + [f"{key}={counts[key]}" for key in ("attachments", "missing", "bytes")]


def points(snapshots: Iterable[Snapshot]) -> list[Point]:
    """The complete points, oldest first. Those that share a name get the first digits of their record's id as well."""
    everything = list(snapshots)
    files = {one.id: one for one in everything if FILES in one.tags}
    found = [_point(one, files.get(one.said("files"))) for one in everything if RECORD in one.tags]
    complete = sorted((point for point in found if point), key=lambda point: (point.at, point.record))
    uses = collections.Counter(point.name for point in complete)
    return [
        point if uses[point.name] == 1 else dataclasses.replace(point, name=f"{point.name}.{point.record[:8]}")
        for point in complete
    ]


def _point(one: Snapshot, files: Snapshot | None) -> Point | None:
    """The point of a record and the snapshot that it names; None when either is not whole."""
    name = one.said("name")
    if not files or len(files.paths) != 1 or files.said("name") != name or not re.fullmatch(NAME, name):
        return None
    counts = {key: _whole(one.said(key)) for key in ("attachments", "missing", "bytes")}
    place = {key: one.said(key) for key in ("label", "lsn", "wal")}
    if None in counts.values() or not place["label"] or not _placed(place):
        return None
    return Point(name, one.at, one.id, files.id, files.paths[0], **place, **counts)


def _placed(place: Mapping[str, str]) -> bool:
    return bool(
        re.fullmatch(r"[0-9A-F]{1,8}/[0-9A-F]{1,8}", place["lsn"]) and re.fullmatch(r"[0-9A-F]{24}", place["wal"])
    )


def _whole(text: str) -> Any:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def named(known: Iterable[Point], name: str) -> Point:
    """The point of a name; `latest` is the newest. EstateError tells which there are."""
    known = list(known)
    if name == "latest" and known:
        return known[-1]
    for point in known:
        if point.name == name:
            return point
    twins = [point.name for point in known if point.is_named(name)]
    if twins:
        raise EstateError(
            f"{name} was recorded {len(twins)} times, which no run of ours does; say {' or '.join(twins)}"
        )
    there = ", ".join(point.name for point in known[-5:]) or "none"
    raise EstateError(f"there is no recovery point {name}; the newest are: {there}")


def expired(snapshots: Iterable[Snapshot], now: float, keep_s: float, keep_least: int) -> list[str]:
    """Ids of the snapshots that the keeper may forget.

    Points older than keep_s, but never the newest keep_least; what cut-short runs left. A snapshot that says it is of
    the future is kept and never counts as one of the newest: it might push all others out. What is not ours stays.
    """
    everything = list(snapshots)
    known = points(everything)
    honest = [point for point in known if point.at <= now]
    spared = honest[-keep_least:] if keep_least > 0 else []
    old = [point for point in honest if point not in spared and now - point.at > keep_s]
    used = {id for point in known for id in (point.record, point.files)}
    gone = {id for point in old for id in (point.record, point.files)}
    for one in everything:
        ours = RECORD in one.tags or FILES in one.tags
        if ours and one.id not in used and one.at <= now and now - one.at > UNFINISHED_S:
            gone.add(one.id)
    # A snapshot of files that a point we keep names stays, whoever else names it.
    kept = {point.files for point in known if point.record not in gone}
    return sorted(gone - kept)


@dataclass(frozen=True)
class Turns:
    """The keeper's turns. at: when the last one wrote its result, None before the first; since: when the timer came;
    last: what that result says; stores: how many the database's backups go to."""

    at: float | None
    since: float
    last: Mapping[str, Any] = field(default_factory=dict)
    stores: int = 1


def kept(found: Turns, now: float, oldest_s: float) -> list[Control]:
    """Whether the keeper took its turn lately, whether all held in it, and what it does not keep at all."""
    waited = now - (found.since if found.at is None else found.at)
    age, told = round(waited / 3600, 1), f"at most {round(oldest_s / 3600, 1)}"
    title = "The keeper of recovery points took its turn lately, in hours"
    if found.at is None and waited <= oldest_s:
        waits = "none was due yet; systemctl start estate-filestore-keeper on the keeper takes one now"
        controls = [Control("filestore.keeper.age", title, "exempt", "no turn yet", told, waits)]
    else:
        state = "pass" if found.at is not None and waited <= oldest_s else "fail"
        observed = "no turn yet" if found.at is None else age
        hint = "" if state == "pass" else "systemctl status estate-filestore-keeper.timer on the keeper"
        controls = [Control("filestore.keeper.age", title, state, observed, told, hint)]
    if found.at is not None:
        held = found.last.get("ok") is True
        seen = "all held" if held else str(found.last.get("error") or "a result that does not say so")
        title = "In the keeper's last turn old points were forgotten and what it read of the others was whole"
        hint = "journalctl -u estate-filestore-keeper on the keeper"
        controls.append(Control.check("filestore.keeper.last", title, seen, "all held", hint))
    if found.stores > 1:
        title = "Recovery points lie in every store of the backups"
        why = "they lie in the first alone; with it the files are lost, while the database comes back from the other"
        controls.append(Control("filestore.points.stores", title, "exempt", 1, found.stores, why))
    return controls


@dataclass(frozen=True)
class Attachments:
    """What a database says of its attachments: file (as store_fname has it) → SHA-1 of its content."""

    files: Mapping[str, str] = field(default_factory=dict)

    def missing_in(self, names: Iterable[str]) -> list[str]:
        """Files that rows name and this set of names has not."""
        return sorted(set(self.files) - set(names))


def attachments(rows: Iterable[tuple[str, Any]]) -> Attachments:
    """From (store_fname, checksum) of ir_attachment.

    Odoo names a file by the SHA-1 of its content, below a directory of its first two digits, and keeps the sum in the
    row, too (14 to 19: ir_attachment.py, _get_path and _compute_checksum). A name that could lead out of the filestore
    is refused: it came out of a database, and is about to be a path.
    """
    files = {}
    for name, checksum in rows:
        if not safe(name):
            raise EstateError(f"ir_attachment has the file {name[:120]!r}, which is no path below a filestore")
        files[name] = checksum if _SHA1.fullmatch(checksum or "") else name.rpartition("/")[2]
    return Attachments(files)


def safe(name: str) -> bool:
    """Whether a file's name stays below the directory that it is joined to."""
    parts = name.split("/")
    return bool(name) and name.isprintable() and not set(parts) & {"", ".", ".."}


def damaged(wanted: Attachments, sums: Mapping[str, Any]) -> dict[str, str]:
    """Files that are not as their rows say → why. sums: file → SHA-1 on disk, None where there is none.

    A row whose sum is no SHA-1 names nothing to compare with; such a file has only to be there.
    """
    found = {}
    for name, checksum in wanted.files.items():
        seen = sums.get(name)
        if seen is None:
            found[name] = "missing"
        elif _SHA1.fullmatch(checksum) and seen != checksum:
            found[name] = "another content"
    return found


def record(name: str, files: str, parts: Mapping[str, Any]) -> str:
    """The document of a point: what it is made of, and what a new estate needs to use it."""
    return json.dumps({"version": VERSION, "name": name, "files": files, **parts}, indent=2, sort_keys=True) + "\n"


def digest(text: str) -> str:
    """A short name for a text that is the same only for the same text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
