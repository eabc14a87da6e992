# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is not what was planned is refused for each reason, in a line that says what to do."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.estate import preflight

PLANNED = {
    "tiers": ["edge", "app"],
    "memory_mb": 4096,
    "cpus": 2,
    "address": "10.77.0.61",
    "public_address": "10.77.1.61",
}
STATE = {
    "distribution": "debian",
    "release": "13",
    "memory_mb": 3920,
    "cpus": 2,
    "addresses": ["127.0.0.1", "10.77.0.61", "10.77.1.61"],
    "free_mb": 20000,
    "uid": 0,
    "init": "systemd",
    "systemd": True,
    "clock_offset_s": 0.4,
}


def failed(**changes):
    found = preflight.controls({**STATE, **changes}, PLANNED)
    return [preflight.line(control) for control in found if control.state == "fail"]


def test_a_host_as_planned():
    found = preflight.controls(STATE, PLANNED)
    assert {control.state for control in found} == {"pass"}
    assert len(found) == 9


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("uid", 1000, "root: is uid 1000, planned uid 0; let the login user become root"),
        ("systemd", False, "systemd: is systemd, planned systemd; services are units"),
        ("release", "11", "release: is debian 11, planned debian 12, debian 13; use one of"),
        ("distribution", "alpine", "release: is alpine 13"),
        ("memory_mb", 3000, "memory: is 3000 MiB, planned 4096 MiB; set estate_memory_mb to at most 3000"),
        ("cpus", 1, "cpus: is 1, planned 2; set estate_cpus to 1"),
        ("free_mb", 8000, "disk: is 8000 MiB, planned 8192 MiB"),
        ("clock_offset_s", -95.2, "clock: is -95 s, planned within 30 s; set it"),
        ("addresses", ["10.77.0.61"], "public_address: is 10.77.0.61, planned 10.77.1.61"),
    ],
)
def test_each_reason(key, value, line):
    lines = failed(**{key: value})
    assert len(lines) == 1
    assert lines[0].startswith(line)


def test_all_reasons_at_once():
    assert len(failed(memory_mb=1, cpus=1, uid=5, free_mb=0, addresses=[])) == 6


def test_a_private_host_needs_no_public_address():
    found = preflight.controls({**STATE, "addresses": ["10.77.0.61"]}, {**PLANNED, "public_address": None})
    assert {control.state for control in found} == {"pass"}


def test_a_host_without_python():
    control = preflight.unreadable("The module interpreter '/usr/bin/python3' was not found.")
    assert preflight.line(control).endswith("install it (apt-get install python3)")
