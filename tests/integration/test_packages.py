# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module packages on a real host: what an interrupted apt leaves behind, and services that stay stopped."""

from __future__ import annotations

import pytest

POLICY = "/usr/sbin/policy-rc.d"


@pytest.fixture
def host(lab):
    """A machine, left as it was found."""
    name = lab.group("cache")[0]
    yield name
    lab.ssh(name, f"rm -f {POLICY}; dpkg --configure -a; dpkg --purge --force-hold cron hello || true")


def packages(lab, host, *flags, **options):
    """The changes of one call: (action, resource)."""
    result, shown = lab.module(host, "retailerp.estate.packages", options, *flags)
    assert not result["failed"], shown
    return [(change["action"], change["resource"]) for change in result["changes"]]


def test_a_service_does_not_start_before_it_is_configured_and_may_start_afterwards(lab, host):
    wanted = {"names": ["cron"], "hold": ["cron"]}
    planned = [("create", "package cron"), ("create", "hold of package cron")]
    assert packages(lab, host, "--check", **wanted) == planned
    assert packages(lab, host, **wanted) == planned
    assert lab.ssh(host, "systemctl is-active cron || true") == "inactive\n"
    assert lab.ssh(host, f"ls {POLICY} 2>/dev/null || true") == ""
    assert lab.ssh(host, "apt-mark showhold").split().count("cron") == 1
    assert packages(lab, host, **wanted) == []
    assert packages(lab, host, "--check", **wanted) == []


def test_a_ban_on_services_left_by_a_killed_run_forbids_nothing(lab, host):
    left_behind = "#!/bin/sh\n# retailerp.estate\nkill -0 4194305 2>/dev/null || exit 0\nexit 101\n"
    lab.ssh(host, f"cat >{POLICY}; chmod 755 {POLICY}", stdin=left_behind)
    lab.ssh(host, "apt-get install -qy --no-install-recommends cron >/dev/null 2>&1")
    assert lab.ssh(host, "systemctl is-active cron || true") == "active\n"
    packages(lab, host, names=["hello"])
    assert lab.ssh(host, f"ls {POLICY} 2>/dev/null || true") == ""


def test_an_interrupted_installation_is_finished(lab, host):
    lab.ssh(host, "cd /tmp && apt-get download -q hello >/dev/null 2>&1 && dpkg --unpack hello_*.deb && rm hello_*.deb")
    lab.ssh(host, "touch /var/lib/dpkg/updates/0001")  # what a dpkg that was killed leaves; apt refuses to work on it
    interrupted = ("update", "packages of an interrupted installation")
    assert packages(lab, host, "--check", names=["hello"]) == [interrupted]
    assert packages(lab, host, names=["hello", "cron"]) == [interrupted, ("create", "package cron")]
    assert lab.ssh(host, "hello") == "Hello, world!\n"
    assert packages(lab, host, names=["hello", "cron"]) == []


def test_lists_that_were_fetched_in_part_are_fetched_again(lab, host):
    lab.ssh(host, "cd /var/lib/apt/lists && truncate -s 0 *_Packages* && touch . && rm -f /var/cache/apt/*.bin")
    assert packages(lab, host, names=["hello"]) == [("create", "package hello")]


def test_a_package_that_is_nowhere_is_named_in_one_line(lab, host):
    result, shown = lab.module(host, "retailerp.estate.packages", {"names": ["no-such-package"]})
    assert result["failed"]
    told = "install no-such-package ended with 100: E: Unable to locate package no-such-package"
    assert result["msg"].endswith(told)
    assert "Traceback" not in shown
    strangers, _shown = lab.module(host, "retailerp.estate.packages", {"names": ["hello"], "hold": ["cron"]})
    assert strangers["msg"] == "hold: cron must also stand in names"
