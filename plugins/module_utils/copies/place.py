# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a copy's dump to the database that serves, with the one before kept until the end. Pure: no I/O, no Ansible.

The copy is loaded beside the database that serves and takes its place by two renames in one transaction. So whenever a
run is cut short the name leads to the old database or to the new one, and which of them it is stands in the
database's comment: it is written last, and goes with the database whatever that is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, EstateError

STAGED, PLACED, FINISHED = "staged", "placed", "finished"
STATES = (STAGED, PLACED, FINISHED)


@dataclass(frozen=True)
class Wanted:
    """A copy that is to serve. name: of the database that serves; id: the copy's; server_version: where it was made."""

    name: str
    id: str
    state: str
    server_version: str

    @property
    def new(self) -> str:
        """Where the copy is loaded. The server lets the application in there by the socket (role postgresql)."""
        return f"{self.name}_copy"

    @property
    def old(self) -> str:
        """What served before."""
        return f"{self.name}_before"

    @property
    def mark(self) -> str:
        """The comment of a database that holds this copy, whole."""
        return f"retailerp.estate copy {self.id}"


@dataclass(frozen=True)
class Found:
    """What was read.

    comments: database → its comment, of those that there are; major: the server's version; dump: whether one lies here.
    """

    major: int
    comments: Mapping[str, str] = field(default_factory=dict)
    dump: bool = False


def through(found: Found, wanted: Wanted) -> bool:
    """Whether the copy serves and nothing is left to do."""
    return found.comments.get(wanted.name) == wanted.mark and not {wanted.new, wanted.old} & set(found.comments)


def plan(found: Found, wanted: Wanted) -> list[Change]:
    """The steps, in order; the data of each Change names it, and the database, for apply()."""
    serves = found.comments.get(wanted.name) == wanted.mark
    if wanted.state == FINISHED:
        if not serves:
            raise EstateError(f"{wanted.name} does not hold this copy; it has to take its place first")
        # The old database goes last: as long as it is there, a run that was cut short is taken up again.
        changes = [Change("the copy's dump", "delete", "present", None, data=("forget", ""))] if found.dump else []
        return changes + [_drop(name, "replaced") for name in (wanted.new, wanted.old) if name in found.comments]
    if serves:
        return []
    changes = list(_load(found, wanted))
    if wanted.state == PLACED:
        if wanted.old in found.comments:
            # Of a copy that took the place and was not brought to its end: it is given up for this one.
            changes.append(_drop(wanted.old, "replaced"))
        before = "as it is" if wanted.name in found.comments else None
        changes.append(Change(f"database {wanted.name}", "update", before, f"the copy {wanted.id}", data=("swap", "")))
    return changes


def _load(found: Found, wanted: Wanted) -> Iterator[Change]:
    if found.comments.get(wanted.new) == wanted.mark:
        return
    theirs = int(wanted.server_version.split(".")[0])
    if theirs > found.major:
        raise EstateError(
            f"the copy was made on PostgreSQL {theirs}, this estate has {found.major}, which does not read it: upgrade "
            "this one first (playbook pg_major_upgrade)"
        )
    if wanted.new in found.comments:
        yield _drop(wanted.new, "loaded in part")
    yield Change(f"database {wanted.new}", "create", None, f"the copy {wanted.id}", data=("load", wanted.new))


def _drop(name: str, what: str) -> Change:
    return Change(f"database {name}", "delete", what, None, data=("drop", name))
