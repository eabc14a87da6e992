# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exemptions from the baseline: refused where they name nothing, and told to the hosts they are meant for."""

from __future__ import annotations

import datetime

import pytest

AT = "estate_spec.baseline.exemptions"
GOOD = {"id": "sudo.log", "reason": "kept elsewhere", "owner": "ops@example.com", "expires": "2027-06-30"}


def test_every_control_is_held_unless_told_otherwise(lab):
    assert {str(host["baseline"]) for host in lab.plan()["hosts"].values()} == {str({"level": 2, "exemptions": []})}


def test_an_exemption_reaches_the_hosts_it_names_and_no_other(lab):
    lab.set("baseline", {"level": 1, "exemptions": [{**GOOD, "hosts": ["db1"]}, {**GOOD, "id": "sudo.pty"}]})
    hosts = lab.plan()["hosts"]
    assert hosts["db1"]["baseline"] == {"level": 1, "exemptions": [GOOD, {**GOOD, "id": "sudo.pty"}]}
    assert hosts["app1"]["baseline"]["exemptions"] == [{**GOOD, "id": "sudo.pty"}]


@pytest.mark.parametrize(
    ("wrong", "path", "said"),
    [
        ({"id": "sudo.lock"}, "[0].id", "sudo.lock is no control of the baseline; did you mean sudo.log?"),
        ({"expires": "30.06.2027"}, "[0].expires", "30.06.2027 is not a day such as 2027-06-30"),
        ({"expires": "2027-02-30"}, "[0].expires", "2027-02-30 is not a day such as 2027-06-30"),
        ({"expires": datetime.date(2027, 6, 30)}, "[0].expires", "is 2027-06-30 (date), not text; quote it"),
        ({"hosts": ["app7"]}, "[0].hosts[0]", "app7 is no host of the inventory; did you mean app1?"),
        ({"owner": None}, "[0].owner", "is missing (Who answers for it)"),
    ],
)
def test_what_names_nothing_is_refused_by_its_path(lab, wrong, path, said):
    lab.set("baseline", {"exemptions": [{**GOOD, **wrong}]})
    assert lab.refusals() == {f"{AT}{path}": [said]}


def test_a_control_is_exempted_once(lab):
    lab.set("baseline", {"exemptions": [{**GOOD, "hosts": ["db1", "app1"]}, {**GOOD, "hosts": ["db1"]}]})
    assert lab.refusals() == {f"{AT}[1]": ["sudo.log is exempted twice on db1"]}


def test_there_are_two_levels(lab):
    lab.set("baseline", {"level": 3})
    assert list(lab.refusals()) == ["estate_spec.baseline.level"]
