# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All containers of a release are stopped, and the release comes back as it was."""

from __future__ import annotations

from ansible_collections.retailerp.estate.plugins.module_utils.docker.release import ContainerRelease
from ansible_collections.retailerp.estate.plugins.module_utils.docker.stop import StoppedRelease


def run(capability):
    changes = capability.plan(capability.read())
    capability.apply(changes)
    after = capability.read()
    assert capability.plan(after) == []
    assert {control.state for control in capability.controls(after)} == {"pass"}
    return [change.action for change in changes]


def test_what_runs_is_stopped_once_and_started_again(engine, make):
    run(ContainerRelease(make.release(), engine, engine.door))
    engine.log.clear()
    assert run(StoppedRelease(make.release(make.NEW), engine)) == ["stop"]
    assert run(StoppedRelease(make.release(), engine)) == []
    assert run(ContainerRelease(make.release(), engine, engine.door)) == ["start"]
    assert engine.log == ["stop shop-odoo-web-a", "start shop-odoo-web-a"]


def test_a_bare_host_has_nothing_to_stop(engine, make):
    engine.installed = False
    assert run(StoppedRelease(make.release(), engine)) == []
