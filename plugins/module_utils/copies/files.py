# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filestore that is to hold the files of a copy and no others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.copies.packed import Packed
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan, restore
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.database import Filestore
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

#: Odoo's own notes of what it may collect, below the filestore, by names of attachments (ir_attachment.py, 14 to 19).
NOTES = "checklist/"
OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND usename = current_user AND application_name NOT LIKE 'retailerp.estate%'"
)


class Rows(Filestore):
    """The database of the filestore, which nobody may serve meanwhile."""

    def alone(self) -> None:
        """Raises EstateError when somebody serves it: Odoo writes a file before the row that names it."""
        with self._connection() as connection:
            others = connection.execute(OTHERS).fetchone()[0]
        if others:
            raise EstateError(f"{others} sessions of Odoo are at work in the database; stop its containers first")


@dataclass(frozen=True)
class Found:
    """What was read: as restore.Found has it, and the files that no row names."""

    files: restore.Found
    strays: tuple[str, ...]


class CopiedFiles:
    """The capability. options: archive, directory, owner, group, database, lost (names no copy has), timeout_s."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options, self._directory = options, options["directory"]
        self._archive, self._rows = Packed(options["archive"]), Rows(options["database"])

    def read(self) -> Found:
        """The disk, held against the rows."""
        rows = self._rows.attachments()
        wanted = plan.Attachments({name: rows.files[name] for name in rows.missing_in(self._options["lost"])})
        damaged = plan.damaged(wanted, restore.sums(self._directory, wanted.files))
        held = frozenset(self._archive.names("", "") & set(damaged)) if damaged else frozenset()
        point = plan.Point("the copy", 0.0, "", "", "", "", "", "")
        below = (path[len(self._directory) + 1 :] for path in System().files_below(self._directory))
        strays = (name for name in below if name not in rows.files and not name.startswith(NOTES))
        return Found(restore.Found(point, wanted, damaged, held), tuple(sorted(strays)))

    def plan(self, current: Found) -> list[Change]:
        """Files that are laid, then those that go."""
        changes = restore.plan_of(current.files, self._directory)
        if current.strays:
            what = f"files below {self._directory} that no row names"
            changes.append(Change(what, "delete", len(current.strays), None, data=current.strays))
        return changes

    def apply(self, changes: list[Change]) -> None:
        """Both, while nobody serves."""
        said = self._options
        self._rows.alone()
        for change in changes:
            if isinstance(change.data, restore.Found):
                owner = (said["owner"], said["group"])
                restore.carry_out(self._archive, change.data, self._directory, owner, said["timeout_s"])
                continue
            for name in change.data:
                os.unlink(f"{self._directory}/{name}")

    def controls(self, current: Found) -> list[Control]:
        """See restore.controls."""
        return restore.controls(current.files)
