# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `restore` and `disaster` refuse, and what they end with."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
import yaml

PLAYBOOKS = Path(__file__).parents[4] / "playbooks"


def plays(name):
    return {one["name"]: one for one in yaml.safe_load((PLAYBOOKS / f"{name}.yml").read_text())}


def test_a_restore_that_did_not_come_to_the_end_fails_and_stops_a_disaster_with_it():
    report = plays("restore")["Report"]
    told = [task for task in report["tasks"] if "ansible.builtin.assert" in task]
    assert report["any_errors_fatal"] is True
    assert [task["ansible.builtin.assert"]["that"] for task in told] == ["not told.unreached"]


def test_a_disaster_in_patronis_hands_is_refused_before_a_host_is_touched():
    (plan, confirm, *_rest) = plays("disaster").values()
    assert plan["ansible.builtin.import_playbook"] == "plan.yml"
    asserted = [task["ansible.builtin.assert"]["that"] for task in confirm["tasks"] if "ansible.builtin.assert" in task]
    assert asserted == ["estate.hosts[inventory_hostname].postgresql.patroni is none"]
    assert "become" not in confirm
    assert confirm["gather_facts"] is False


def test_a_disaster_ends_with_a_backup_and_a_point_before_it_is_verified():
    *_before, made, verify = plays("disaster").values()
    assert made["ansible.builtin.import_playbook"] == "backup.yml"
    assert made["vars"] == {"type": "full", "point_of_files": True}
    assert verify["ansible.builtin.import_playbook"] == "verify.yml"


@pytest.mark.parametrize(
    ("known", "name"),
    [({}, "today"), ({"point": "mine"}, "mine"), ({"point": "of-the-files", "point_of_files": True}, "today")],
)
def test_the_point_that_files_came_from_is_not_taken_a_second_time(known, name):
    given = plays("point")["Recovery point"]["tasks"][-1]["vars"]["filestore_backup_point"]
    assert jinja2.Template(given).render(known, time="today") == name
