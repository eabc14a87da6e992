# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned for packages; how dpkg and apt take it is shown on a real host."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.host.packages import BROKEN, Seen, plan

NAMES = st.lists(st.sampled_from(["docker.io", "nftables", "redis-server", "tzdata"]), unique=True)
STATES = st.tuples(
    st.sampled_from(["install", "hold", "deinstall", "unknown"]),
    st.sampled_from(["installed", "not-installed", "config-files", *BROKEN]),
)
HOSTS = st.builds(Seen, st.dictionaries(st.sampled_from(["docker.io", "nftables", "sl"]), STATES), st.booleans())


def told(changes):
    return [(change.action, change.resource) for change in changes]


def test_a_bare_host_gets_everything_and_a_converged_one_nothing():
    assert told(plan(Seen(), ["docker.io", "tzdata"], ["docker.io"])) == [
        ("create", "package docker.io"),
        ("create", "package tzdata"),
        ("create", "hold of package docker.io"),
    ]
    there = Seen({"docker.io": ("hold", "installed"), "tzdata": ("install", "installed")})
    assert plan(there, ["docker.io", "tzdata"], ["docker.io"]) == []


def test_a_removed_package_with_its_configuration_left_is_not_installed():
    seen = Seen({"redis-server": ("deinstall", "config-files")})
    assert told(plan(seen, ["redis-server"], [])) == [("create", "package redis-server")]


def test_what_was_interrupted_is_mended_before_anything_is_installed():
    seen = Seen({"docker.io": ("install", "half-configured")})
    assert told(plan(seen, ["docker.io", "tzdata"], []))[0] == ("update", "packages of an interrupted installation")
    assert plan(seen, ["docker.io"], [])[0].before == "docker.io"
    assert plan(Seen(journal=True), [], [])[0].before == "dpkg's journal"


@given(HOSTS, NAMES, NAMES)
def test_carrying_the_plan_out_leaves_nothing_to_do(seen, names, hold):
    hold = [name for name in hold if name in names]
    after = dict(seen.packages)
    for change in plan(seen, names, hold):
        name = change.resource.split()[-1]
        if change.resource.startswith("package "):
            after[name] = (after.get(name, ("install", ""))[0], "installed")
        elif change.resource.startswith("hold "):
            after[name] = ("hold", after[name][1])
        else:
            after = {
                each: (want, "installed" if status in BROKEN else status) for each, (want, status) in after.items()
            }
    assert plan(Seen(after), names, hold) == []
