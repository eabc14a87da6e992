# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app host's slice of the lab's plan, for any series."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from ansible_collections.retailerp.estate.plugins.module_utils.odoo import conf

PLANS = Path(__file__).parents[1] / "estate" / "golden"


def slice_of(series: str) -> dict:
    """The lab's slice, with what differs in that series."""
    lab = yaml.safe_load((PLANS / "lab.yml").read_text(encoding="utf-8"))
    other = yaml.safe_load((PLANS / f"series-{series}.yml").read_text(encoding="utf-8"))
    return copy.deepcopy({**lab["hosts"]["app1"]["odoo"], **other["odoo"]})


@pytest.fixture(autouse=True)
def rounds(monkeypatch):
    """Hashes for tests cost nothing; the number in use is returned."""
    used = conf.ROUNDS
    monkeypatch.setattr(conf, "ROUNDS", 10)
    return used


@pytest.fixture
def plan():
    """The slice of the lab itself."""
    return slice_of("14.0")


@pytest.fixture
def secrets():
    """The three that odoo.conf holds, recognisable."""
    return {"database": "canary-database", "sessions": "canary-sessions", "master": "canary-master"}
