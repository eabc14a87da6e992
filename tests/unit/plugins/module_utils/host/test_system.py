# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs on one host: the second waits for the first, and is refused when that takes too long."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def held(tmp_path):
    """Lets another process hold a lock for so many seconds; the path of the lock."""
    path, holders = str(tmp_path / "estate" / "release.lock"), []
    (tmp_path / "estate").mkdir()

    def hold(seconds: float) -> str:
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, path, str(seconds)], stdout=subprocess.PIPE)
        holders.append(holder)
        assert holder.stdout.readline() == b"held\n"
        return path

    yield hold
    for holder in holders:
        holder.kill()
        holder.wait()


def test_a_lock_is_had_as_soon_as_the_other_run_ends(held):
    assert System().lock(held(1), wait_s=30).name.endswith("release.lock")


def test_a_run_that_meets_another_is_refused_and_told_by_what(held):
    path = held(30)
    with pytest.raises(EstateError, match=f"another run is at work here .it holds {path}.; wait for it to end"):
        System().lock(path, wait_s=0)
