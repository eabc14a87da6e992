# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a capability whose programs hold it, too."""

from __future__ import annotations

import fcntl
from types import SimpleNamespace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError


class Nothing:
    """A capability with nothing to do, which looks whether the lock is held while it reads."""

    def __init__(self, path):
        self.path, self.held = path, None

    def read(self):
        if self.path.exists():
            with open(self.path, encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self.held = False
                except OSError:
                    self.held = True

    def plan(self, current):
        return []

    def controls(self, current):
        return []


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module that keeps what it would answer."""
    monkeypatch.setattr(runner, "STATE", str(tmp_path))
    said = SimpleNamespace(check_mode=False, told={})
    said.exit_json = lambda **result: said.told.update(result)
    said.fail_json = lambda **result: said.told.update(result, failed=True)
    return said


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_lock_is_held_while_it_works_and_its_descriptor_is_handed_on(module, tmp_path, check_mode):
    module.check_mode = check_mode
    capability, given = Nothing(tmp_path / "one.lock"), []

    def make(lock):
        given.append(lock)
        return capability, {"extra": 1}

    runner.run_holding(module, "one", make)
    assert [lock is None for lock in given] == [check_mode]
    assert capability.held is (None if check_mode else True)
    assert module.told["extra"] == 1


def test_what_cannot_be_made_fails_with_its_words(module):
    def make(lock):
        raise EstateError("no such thing")

    runner.run_holding(module, "one", make)
    assert (module.told["failed"], module.told["msg"]) == (True, "no such thing")


@pytest.mark.parametrize("where", ["make", "read"])
def test_a_broken_disk_is_an_error_that_names_the_file(module, where):
    broken = OSError(30, "Read-only file system", "/var/lib/retailerp-estate/postgresql.fenced")

    class Broken(Nothing):
        def read(self):
            raise broken

    def make(lock):
        if where == "make":
            raise broken
        return Broken(None), {}

    runner.run_holding(module, "one", make)
    assert module.told["failed"]
    assert "Read-only file system: '/var/lib/retailerp-estate/postgresql.fenced'" in module.told["msg"]
