# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restoring a filestore: what the database names and the disk has not, or has otherwise, is laid back from a point.

A file of Odoo's filestore is named by its content and never changes. So nothing good is overwritten and nothing is
removed: files that no row names any more harm nobody, and Odoo's own collection removes them.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.restic import Repository
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

#: Up to so many files are asked for by name; more do not fit an argument list, and are slow to compare with.
BY_NAME = 400
#: A row may be newer than the point; so many are told by name.
TOLD = 20


@dataclass(frozen=True)
class Found:
    """What was read: the point, what the database names, and what of it is not as it should be, with the reason."""

    point: plan.Point
    wanted: plan.Attachments
    damaged: dict[str, str] = field(default_factory=dict)
    held: frozenset[str] = frozenset()

    @property
    def to_restore(self) -> list[str]:
        """Damaged files that the point has."""
        return sorted(name for name in self.damaged if name in self.held)

    @property
    def lost(self) -> list[str]:
        """Damaged files that it has not."""
        return sorted(name for name in self.damaged if name not in self.held)


def sums(directory: str, names: Iterable[str]) -> dict[str, Any]:
    """SHA-1 of each file below the directory; None where there is none."""
    found = {}
    for name in names:
        try:
            with open(f"{directory}/{name}", "rb") as file:
                digest = hashlib.sha1(usedforsecurity=False)
                while part := file.read(1 << 20):
                    digest.update(part)
        except (FileNotFoundError, NotADirectoryError):
            found[name] = None
        else:
            found[name] = digest.hexdigest()
    return found


def read(repository: Repository, name: str, directory: str, wanted: plan.Attachments) -> Found:
    """Compare the disk with the database; the point is looked into only for what is damaged."""
    point = plan.named(plan.points(repository.snapshots()), name)
    damaged = plan.damaged(wanted, sums(directory, wanted.files))
    held = frozenset(repository.names(point.files, point.path) & set(damaged)) if damaged else frozenset()
    return Found(point, wanted, damaged, held)


def plan_of(found: Found, directory: str) -> list[Change]:
    """One change for all files that are laid back."""
    names = found.to_restore
    if not names:
        return []
    why = {
        reason: sum(1 for name in names if found.damaged[name] == reason) for reason in ("missing", "another content")
    }
    before = {reason: count for reason, count in why.items() if count}
    return [Change(f"filestore {directory}", "update", before, f"as of {found.point.name}", data=found)]


def carry_out(repository: Repository, found: Found, directory: str, owner: tuple[int, int], timeout_s: float) -> None:
    """Lay the files back: first beside the filestore, then each into its place in one step."""
    names = found.to_restore
    # First, as what lies above it is the owner's, too, whatever the caller's umask.
    make(directory, owner)
    if not names:
        return
    aside = f"{directory}.restoring"
    try:
        _emptied(aside)
        for paths, part in _parts(found):
            repository.restore(found.point.files, aside, paths, timeout_s)
            for name in part:
                laid, place = f"{aside}{found.point.path}/{name}", f"{directory}/{name}"
                make(os.path.dirname(place), owner)
                os.chown(laid, *owner)
                os.chmod(laid, 0o644)
                os.replace(laid, place)
            _emptied(aside)
    except FileNotFoundError as err:
        raise EstateError(f"the snapshot of {found.point.name} did not give {err.filename}") from err
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _parts(found: Found) -> Iterator[tuple[list[str] | None, list[str]]]:
    """What restic is asked for, None for all, and the files that are laid back of it.

    What is asked for lies beside the filestore for a while, on a disk that may have no room for a second filestore.
    Where nothing is there, all is; otherwise many files come with those beside them, a sixteenth of all at a time.
    """
    names, above = found.to_restore, found.point.path
    if len(names) <= BY_NAME:
        yield [f"{above}/{name}" for name in names], names
    elif list(found.damaged.values()).count("missing") == len(found.wanted.files):
        yield None, names
    else:
        for digit, part in itertools.groupby(names, lambda name: name[0]):
            yield [f"{above}/{digit}*"], list(part)


def _emptied(aside: str) -> None:
    shutil.rmtree(aside, ignore_errors=True)
    os.makedirs(aside, mode=0o700)


def make(directory: str, owner: tuple[int, int]) -> None:
    """A directory of the filestore with those above it that are not there yet."""
    missing = []
    while not os.path.isdir(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    for one in reversed(missing):
        os.mkdir(one)
        os.chmod(one, 0o755)
        os.chown(one, *owner)


def controls(found: Found) -> list[Control]:
    """Every attachment of the database is on disk, with the content that its row says."""
    bad = [f"{name} ({why})" for name, why in sorted(found.damaged.items())]
    return [
        Control(
            "filestore.attachments",
            "Every attachment of the database is on disk, with its content",
            "fail" if bad else "pass",
            {"attachments": len(found.wanted.files), "damaged": len(bad), "first": bad[:TOLD]},
            {"attachments": len(found.wanted.files), "damaged": 0, "first": []},
            f"point {found.point.name} does not have them: is the database newer than the point?" if bad else "",
        )
    ]
