# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which minor version is reached, and what is changed and restarted for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import minor
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

POLICY = """postgresql-17:
  Installed: 17.5-1
  Candidate: 17.6-0+deb13u1
  Version table:
     17.6-0+deb13u1 500
        500 http://mirror.test/debian-security trixie-security/main amd64 Packages
 *** 17.5-1 100
        100 /var/lib/dpkg/status
     17.4-1 -1
        -1 http://mirror.test/debian trixie/main amd64 Packages
"""
OLD, NEW, UNIT = "17.5-1", "17.6-0+deb13u1", "postgresql@17-main.service"
FOUND = minor.Found(
    installed={"postgresql-17": OLD, "postgresql-client-17": OLD, "libpq5": OLD},
    offered=(NEW, OLD, "17.4-1"),
    candidate=NEW,
    running=True,
)


def told(found, version=NEW):
    return [(change.action, change.resource) for change in minor.plan(found, "17", UNIT, version)]


def test_apt_is_understood():
    assert minor.parse_policy(POLICY) == (NEW, (NEW, OLD, "17.4-1"))
    assert minor.parse_policy("postgresql-17:\n  Installed: (none)\n  Candidate: (none)\n") == (None, ())
    assert minor.parse_policy("") == (None, ())


@pytest.mark.parametrize(
    ("to", "version"), [(None, NEW), ("17.6", NEW), (NEW, NEW), ("17.5", OLD), (OLD, OLD)], ids=str
)
def test_the_version_that_is_meant(to, version):
    assert minor.target(FOUND, "17", to) == version


def test_a_server_does_not_go_back():
    with pytest.raises(EstateError, match="17.4-1 is older than 17.5-1"):
        minor.target(FOUND, "17", "17.4")
    assert minor.target(replace(FOUND, candidate="17.4-1"), "17", None) == OLD, "whatever a pin says"


def test_what_the_sources_lack_is_refused_with_what_they_offer():
    with pytest.raises(EstateError, match=r"do not offer postgresql-17 17.60, but 17.6-0\+deb13u1, 17.5-1"):
        minor.target(FOUND, "17", "17.60")
    with pytest.raises(EstateError, match="is not installed here"):
        minor.target(minor.Found(), "17", None)


def test_all_packages_of_the_source_change_and_the_server_restarts_once():
    assert told(FOUND) == [
        ("update", "package libpq5"),
        ("update", "package postgresql-17"),
        ("update", "package postgresql-client-17"),
        ("restart", f"service {UNIT}"),
    ]
    done = replace(FOUND, installed=dict.fromkeys(FOUND.installed, NEW))
    assert told(done) == []
    assert told(replace(done, outdated=True)) == [("restart", f"service {UNIT}")], "cut short before the restart"


def test_what_was_cut_short_is_mended_and_a_stopped_server_stays_stopped():
    found = replace(FOUND, broken=("postgresql-17",), running=False, unheld=True)
    changes = told(found)
    assert changes[0] == ("update", "packages of an interrupted run")
    assert ("create", "hold of package postgresql-17") in changes
    assert all(action != "restart" for action, _resource in changes)


def test_a_client_alone_needs_no_restart():
    installed = {"postgresql-17": NEW, "libpq5": OLD}
    assert told(replace(FOUND, installed=installed)) == [("update", "package libpq5")]
