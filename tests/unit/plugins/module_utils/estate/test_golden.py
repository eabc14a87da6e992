# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole plan of known estates, leaf by leaf. ESTATE_GOLDEN=write rewrites the files: review the difference."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

GOLDEN = Path(__file__).parent / "golden"
SERIES = ("14.0", "15.0", "16.0", "17.0", "18.0", "19.0")


class Indented(yaml.SafeDumper):
    """Lists indented below their key, as yamllint wants them."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


def agrees(name, plan):
    """Compare with the golden file, or write it when asked to."""
    path = GOLDEN / f"{name}.yml"
    if os.environ.get("ESTATE_GOLDEN") == "write":
        path.write_text("---\n" + yaml.dump(plan, Dumper=Indented, sort_keys=False, width=150), encoding="utf-8")
    return yaml.safe_load(path.read_text(encoding="utf-8")) == plan


def test_the_lab(lab):
    assert agrees("lab", lab.plan())


def test_everything_on_one_machine(solo):
    assert agrees("solo", solo.plan())


@pytest.mark.parametrize("series", SERIES)
def test_what_a_series_decides(lab, series):
    plan = lab.set("odoo.series", series).draft()
    odoo, traefik = plan["hosts"]["app1"]["odoo"], plan["hosts"]["edge1"]["traefik"]
    decided = {
        "odoo": {key: odoo[key] for key in ("series", "bus", "health_path")},
        "traefik": {key: traefik[key] for key in ("bus_path", "health_path")},
    }
    assert agrees(f"series-{series}", decided)


def test_the_bus_moved_with_16(lab):
    """The two sides of the change, spelt out: a proxy that routes the wrong path loses every notification."""
    before = lab.set("odoo.series", "15.0").draft()["hosts"]["app1"]["odoo"]["bus"]
    after = lab.set("odoo.series", "16.0").draft()["hosts"]["app1"]["odoo"]["bus"]
    assert before == {"port_option": "longpolling_port", "path": "/longpolling/"}
    assert after == {"port_option": "gevent_port", "path": "/websocket"}


def test_the_operator_writes_at_most_twelve_values(lab):
    def leaves(value):
        return sum(map(leaves, value.values())) if isinstance(value, dict) else 1

    assert leaves(lab.spec) <= 12


def test_the_plan_holds_no_secret(lab):
    text = yaml.safe_dump(lab.plan())
    assert not [value for value in lab.secrets.values() if value in text]


@pytest.mark.parametrize("example", ["example_single_host", "example_dedicated"])
def test_the_examples_are_accepted(case_of, example):
    case = case_of(example)
    assert agrees(
        example, {name: host["odoo"]["workers"] for name, host in case.plan()["hosts"].items() if host["odoo"]}
    )
