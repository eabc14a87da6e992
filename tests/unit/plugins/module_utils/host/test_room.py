# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy is not begun where it does not fit."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.host import room
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

GIB = 2**30


def test_a_tenth_is_spare_and_what_is_removed_before_counts_as_free(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=10, f_frsize=GIB))
    below = str(tmp_path / "not/there/yet")
    room.refuse(below, 9 * GIB)
    with pytest.raises(EstateError, match=rf"{tmp_path} has 10.0 GiB free, and the copy takes up to 11.0 GiB"):
        room.refuse(below, 10 * GIB)
    room.refuse(below, 10 * GIB, freed=GIB)


def test_what_a_directory_takes(tmp_path):
    assert room.used(str(tmp_path / "none")) == 0
    (tmp_path / "file").write_bytes(b"x" * 9000)
    assert 9000 <= room.used(str(tmp_path)) < 50000
