# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pgBackRest's words as a module hands them on, and an archive looked through by its lists."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import backup, backup_client
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

SUM = "0" * 40


@pytest.fixture
def pgbackrest(tmp_path, monkeypatch):
    """A client whose program answers by what it is asked: `said` has the last words of commands."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/secrets.conf").write_text("[global]\nrepo1-azure-key=sv=1&sig=hush%3D\nrepo1-cipher-pass=\n")
    said = {}

    def run(self, argv, stdin=None, timeout_s=0):
        return next(answer for words, answer in said.items() if " ".join(argv).endswith(words))

    monkeypatch.setattr(backup_client.System, "run", run)
    client = backup_client.Client("shop", (1,), "postgres", str(tmp_path))
    return client, said


def test_a_secret_is_not_handed_on_in_pgbackrests_words(pgbackrest):
    client, said = pgbackrest
    said["info"] = (43, "", "ERROR: [043]: invalid key/value 'sv=1&sig=hush%3D' in query 'sv=1&sig=hush%3D'")
    with pytest.raises(EstateError) as refused:
        client.must("info")
    assert "hush" not in str(refused.value)
    assert "invalid key/value '********'" in str(refused.value)


@pytest.mark.parametrize("history", ["1\t0/C000060\tno recovery target\n", None], ids=["a branch", "an older branch"])
def test_what_is_missing_is_looked_for_on_the_newest_branch(pgbackrest, history):
    client, said = pgbackrest
    held = [f"0000000200000000/0000000200000000000000{number:02X}-{SUM}.zst" for number in (12, 13, 15)]
    said["repo-ls archive/shop/17-1"] = (0, "\n".join(["00000002.history", *held]), "")
    said["repo-get archive/shop/17-1/00000002.history"] = (0, history, "") if history else (1, "", "")
    one = backup.Backup(1, "20260101-000000F", "full", 0, 1, 1, 1, False, wal_begin="00000002000000000000000C")
    account = backup.Account((), (one,), {1: [{"id": "17-1"}]})
    (gap,) = client.gaps(account, 1)
    assert (gap.first, gap.count, gap.open) == ("00000002000000000000000E", 1, True)


def test_after_a_major_upgrade_the_new_archive_lacks_nothing_that_older_backups_needed(pgbackrest):
    client, said = pgbackrest
    held = [f"0000000100000000/0000000100000000000000{number}-{SUM}.zst" for number in (20, 21)]
    said["repo-ls archive/shop/17-2"] = (0, "\n".join(held), "")
    said["repo-get archive/shop/17-2/00000001.history"] = (1, "", "")

    def one(begin, database):
        names = {"wal_begin": f"0000000100000000000000{begin}", "database": database}
        return backup.Backup(1, f"of {begin}", "full", 0, 1, 1, 1, False, **names)

    stores = (backup.Store(1, backup.OK, database=2),)
    archives = {1: [{"id": "15-1"}, {"id": "17-2"}]}
    assert client.gaps(backup.Account(stores, (one("0C", 1), one("20", 2)), archives), 1) == ()
    assert client.gaps(backup.Account(stores, (one("0C", 1),), archives), 1) == ()


def test_without_backups_nothing_is_missed(pgbackrest):
    client, _said = pgbackrest
    assert client.gaps(backup.Account(), 1) == ()
