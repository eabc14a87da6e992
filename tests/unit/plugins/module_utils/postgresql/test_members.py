# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How members reach each other, and what is read from the control file."""

from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client, server, upstream
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.upstream import Upstream
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

MEMBERS = {"db1": "10.0.0.1", "db2": "10.0.0.2", "db3": "10.0.0.3"}
UPSTREAM = Upstream("db2", MEMBERS, 5432, "shop_replication", "a:b\\c", "/ca.pem")


def test_a_member_asks_all_others_and_verifies_whom_it_finds():
    parts = dict(part.split("=", 1) for part in UPSTREAM.conninfo().split())
    assert parts["host"] == "db1,db3"
    assert parts["hostaddr"] == "10.0.0.1,10.0.0.3"
    assert parts["target_session_attrs"] == "read-write"
    assert parts["sslmode"] == "verify-full"
    assert "password" not in parts


def test_the_password_is_in_memory_for_one_user_only(monkeypatch):
    monkeypatch.setattr(client, "SYSTEM_USER", pwd.getpwuid(os.geteuid()).pw_name)
    with UPSTREAM.passfile() as descriptor:
        assert os.fstat(descriptor).st_mode & 0o077 == 0
        assert os.pread(descriptor, 100, 0) == b"*:*:*:shop_replication:a\\:b\\\\c\n"
    with pytest.raises(OSError):
        os.fstat(descriptor)


@pytest.mark.parametrize(("position", "expected"), [("0/3000148", "0/3000000"), ("1/FF000000", "1/FF000000")])
def test_streaming_starts_at_a_segment(position, expected):
    assert upstream._segment_start(position) == expected


def test_only_missing_wal_counts_as_missing():
    assert not upstream._judge("ERROR:  requested WAL segment 000000010000000000000003 has already been removed")
    with pytest.raises(EstateError, match="ahead of"):
        upstream._judge("requested starting point 0/9000000 is ahead of the WAL flush position")


def test_the_primarys_settings_are_read_from_the_control_file():
    control = {
        "max_connections setting": "80",
        "max_locks_per_xact setting": "64",
        "max_prepared_xacts setting": "0",
        "wal_level setting": "replica",
        "Database system identifier": "42",
    }
    assert server.primary_settings(control) == {
        "max_connections": 80,
        "max_locks_per_transaction": 64,
        "max_prepared_transactions": 0,
    }
    assert server.primary_settings(None) == {}


def test_debians_layout():
    layout = server.Layout("17")
    assert layout.directory == "/var/lib/postgresql/17/main"
    assert layout.unit == "postgresql@17-main.service"
    assert os.path.dirname(layout.staging) == os.path.dirname(layout.replaced) == os.path.dirname(layout.directory)
