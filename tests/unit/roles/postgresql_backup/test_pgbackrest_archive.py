# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL calls for each file of its log, with stores in which nothing is overwritten."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[4] / "roles/postgresql_backup/files/pgbackrest-archive.sh"
HISTORY = "00000005.history"
#: As pgBackRest pushes what is no segment: to all stores, and told if one refuses.
STORES = """#!/bin/sh
case "$*" in
*archive-push*)
  for store in 1 2; do [ -d $store ] && [ ! -e $store/file ] && cp "$3" $store/file || failed=1; done
  exit ${failed:-0};;
*archive-get*) cp "${2#--repo=}/file" "$5";;
esac
"""
DROPPING = "#!/bin/sh\necho \"WARN: dropped WAL file '0F' because archive queue exceeded 32MB\"\n"


@pytest.fixture
def host(tmp_path):
    """A data directory with the program, its configuration and two stores, of which the second is away."""
    text = PROGRAM.read_text(encoding="utf-8")
    for path, ours in (
        ("/usr/bin/pgbackrest", "pgbackrest"),
        ("/etc/pgbackrest/pgbackrest.conf", "pgbackrest.conf"),
        ("/var/spool/pgbackrest", "."),
    ):
        assert path in text
        text = text.replace(path, f"{tmp_path}/{ours}")
    (tmp_path / "pgbackrest-archive").write_text(text)
    (tmp_path / "pgbackrest.conf").write_text("repo1-type=s3\nrepo2-type=azure\narchive-push-queue-max=32MiB\n")
    (tmp_path / "pgbackrest").write_text(STORES)
    (tmp_path / "pgbackrest").chmod(0o755)
    (tmp_path / HISTORY).write_text("4\t0/3000000\tno recovery target specified\n")
    (tmp_path / "1").mkdir()
    (tmp_path / "pg_wal/archive_status").mkdir(parents=True)
    return tmp_path


def archived(host, name=HISTORY):
    """Whether the server may give the file up."""
    words = ["/bin/sh", "pgbackrest-archive", "shop", HISTORY, name]
    return subprocess.run(words, cwd=host, stderr=subprocess.DEVNULL, check=False).returncode == 0


def test_a_history_is_archived_once_every_store_has_it_although_one_refuses_it_a_second_time(host):
    assert not archived(host), "store 2 is away"
    (host / "2").mkdir()
    assert archived(host)
    (host / "1/file").write_text("that of another branch\n")
    assert not archived(host)


def test_past_the_cap_a_history_is_given_up_and_that_is_noted(host):
    for number in range(3):
        assert not (host / "dropped").exists()
        assert not archived(host)
        (host / f"pg_wal/archive_status/{number}.ready").touch()
    assert archived(host)
    assert (host / "dropped").read_text().strip() == HISTORY


def test_a_configuration_that_says_no_store_archives_nothing(host):
    (host / "pgbackrest.conf").write_text("")
    assert not archived(host)


def test_a_segment_that_pgbackrest_drops_is_noted(host):
    (host / "pgbackrest").write_text(DROPPING)
    assert archived(host, "0F")
    assert (host / "dropped").read_text().strip() == "0F"


@pytest.mark.parametrize(
    ("name", "pushed"),
    [("0000000500000000000000D3", True), ("0000000500000000000000D3.00000028.backup", False), ("0F.partial", False)],
)
def test_what_nothing_reads_is_not_pushed(host, name, pushed):
    (host / "2").mkdir()
    assert archived(host, name)
    assert (host / "2/file").exists() == pushed
