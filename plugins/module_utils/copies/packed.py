# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a copy in one archive, and back: each by its name alone, whatever else an archive may say."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError


def pack(directory: str, names: list[str], path: str) -> None:
    """Write these files of a directory into a new archive, without their times and owners."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(names):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = os.path.getsize(f"{directory}/{name}"), 0o644
            with open(f"{directory}/{name}", "rb") as file:
                archive.addfile(entry, file)


def told(path: str) -> dict[str, Any]:
    """A file's sum and size."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return {"sha256": digest.hexdigest(), "bytes": os.path.getsize(path)}


class Packed:
    """An archive, asked as filestore/restore.py asks a repository for the files of a point."""

    def __init__(self, path: str) -> None:
        self._path = path

    def names(self, id: str, below: str) -> set[str]:
        """The files in it."""
        with self._open() as archive:
            return {entry.name for entry in archive if _is_file(entry)}

    def restore(self, id: str, target: str, names: list[str] | None, timeout_s: float) -> None:
        """Lay its files below a directory, those of these paths alone if given."""
        wanted = None if names is None else {name.lstrip("/") for name in names}
        with self._open() as archive:
            for entry in archive:
                if not _is_file(entry) or (wanted is not None and entry.name not in wanted):
                    continue
                os.makedirs(os.path.dirname(f"{target}/{entry.name}"), mode=0o700, exist_ok=True)
                with open(f"{target}/{entry.name}", "xb") as file:
                    shutil.copyfileobj(archive.extractfile(entry), file, 1 << 20)

    def _open(self) -> tarfile.TarFile:
        try:
            return tarfile.open(self._path, "r:")  # noqa: SIM115  (its users close it)
        except tarfile.TarError as err:
            raise EstateError(f"{self._path} is no archive of files ({err}): run playbook copy_out again") from None


def _is_file(entry: tarfile.TarInfo) -> bool:
    """Whether it is a file that stays below the directory it is laid into; links and all else are passed over."""
    return entry.isreg() and plan.safe(entry.name)
