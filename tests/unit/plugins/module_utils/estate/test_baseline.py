# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline is for who writes it. Exemptions are refused where they name nothing, else told to the hosts meant."""

from __future__ import annotations

import datetime

import pytest

AT = "estate_spec.baseline.exemptions"
GOOD = {"id": "sudo.log", "reason": "kept elsewhere", "owner": "ops@example.com", "expires": "2027-06-30"}


@pytest.mark.parametrize("estate", ["lab", "solo"])
def test_an_estate_that_does_not_write_it_has_none(request, estate):
    case = request.getfixturevalue(estate)
    assert "baseline" not in case.spec
    assert [host["baseline"] for host in case.plan()["hosts"].values()] == [None] * len(case.hosts)


def test_a_section_without_a_word_is_none(lab):
    assert lab.set("baseline", None).plan()["hosts"]["db1"]["baseline"] is None


@pytest.mark.parametrize(("written", "level"), [({}, 2), ({"level": 1}, 1), ({"level": 2}, 2)])
def test_an_estate_that_writes_it_has_it_on_every_host(lab, written, level):
    hosts = lab.set("baseline", written).plan()["hosts"]
    assert [host["baseline"] for host in hosts.values()] == [{"level": level, "exemptions": []}] * len(hosts)


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
