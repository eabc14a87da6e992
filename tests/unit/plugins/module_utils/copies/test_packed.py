# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files into an archive and back, and an archive that somebody else wrote."""

from __future__ import annotations

import io
import tarfile

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.copies import packed
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

NAMES = ["aa/one", "bb/two", "bb/three"]


@pytest.fixture
def archive(tmp_path):
    source = tmp_path / "source"
    for name in NAMES:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    packed.pack(str(source), NAMES, str(tmp_path / "files.tar"))
    return tmp_path / "files.tar"


def test_what_is_packed_comes_back(archive, tmp_path):
    assert packed.Packed(str(archive)).names("", "") == set(NAMES)
    packed.Packed(str(archive)).restore("", str(tmp_path / "to"), None, 60)
    assert {name: (tmp_path / "to" / name).read_text() for name in NAMES} == {name: name for name in NAMES}


def test_files_are_asked_for_by_path(archive, tmp_path):
    packed.Packed(str(archive)).restore("", str(tmp_path / "to"), ["/bb/two"], 60)
    assert [path.name for path in (tmp_path / "to").rglob("*") if path.is_file()] == ["two"]


def test_the_same_files_are_the_same_archive(archive, tmp_path):
    packed.pack(str(tmp_path / "source"), NAMES[::-1], str(tmp_path / "again.tar"))
    assert packed.told(str(archive)) == packed.told(str(tmp_path / "again.tar"))


def test_nothing_leads_out_of_the_directory(tmp_path):
    with tarfile.open(tmp_path / "bad.tar", "w") as made:
        for name, kind in (("../out", tarfile.REGTYPE), ("/etc/out", tarfile.REGTYPE), ("aa/link", tarfile.SYMTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size = kind, "/etc", 1 if kind == tarfile.REGTYPE else 0
            made.addfile(entry, io.BytesIO(b"x"))
    assert packed.Packed(str(tmp_path / "bad.tar")).names("", "") == set()
    packed.Packed(str(tmp_path / "bad.tar")).restore("", str(tmp_path / "to"), None, 60)
    assert not (tmp_path / "to").exists()
    assert not (tmp_path / "out").exists()


def test_what_is_no_archive_is_told(tmp_path):
    (tmp_path / "files.tar").write_text("no")
    with pytest.raises(EstateError, match="no archive"):
        packed.Packed(str(tmp_path / "files.tar")).names("", "")
