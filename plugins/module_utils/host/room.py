# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file system has room for a backup that is about to be restored; a full one stops who else lives there."""

from __future__ import annotations

import os

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

SPARE = 1.1
"""Of what a copy takes: for the log that is replayed, and for a file system's own needs."""


def used(directory: str) -> int:
    """Bytes that a directory takes on its disk; none where there is none."""
    found = (os.path.join(folder, name) for folder, _folders, names in os.walk(directory) for name in names)
    return sum(os.lstat(path).st_blocks * 512 for path in found)


def refuse(directory: str, size: int, freed: int = 0) -> None:
    """Raises EstateError unless so many bytes and a tenth fit there. freed: bytes that are removed before."""
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    found = os.statvfs(directory)
    free, needed = found.f_bavail * found.f_frsize + freed, size * SPARE
    if free < needed:
        raise EstateError(
            f"nothing was copied: {directory} has {free / 2**30:.1f} GiB free, and the copy takes up to "
            f"{needed / 2**30:.1f} GiB (a tenth more than the largest backup)"
        )
