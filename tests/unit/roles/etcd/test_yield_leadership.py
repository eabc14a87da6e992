# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which voter leads in place of the one beside PostgreSQL's primary, by what the voters say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import ansible_collections.retailerp.estate.plugins.module_utils.result as anchor

SOURCE = Path(anchor.__file__).parents[2] / "roles/etcd/files/yield_leadership.py"
SPEC = importlib.util.spec_from_file_location("etcd_yield_leadership", SOURCE)
program = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(program)

IDS = {"db1": "11", "db2": "12", "ops1": "13"}


class Voters(program.Voters):
    """A cluster of db1, db2 and ops1, where db1 and db2 hold data; asked on db1. `silent` do not answer."""

    def __init__(self, leads="db1", primary="db1", silent=()):
        self.leads, self.silent, self.url = leads, silent, "db1"
        self.keys = {"/estate/shop/members/db1": "{}", "/estate/shop/members/db2": "{}"}
        if primary:
            self.keys["/estate/shop/leader"] = primary

    def ask(self, what, question, url=""):
        name = url or self.url
        if name in self.silent:
            raise OSError("no route to host")
        if what == "maintenance/status":
            return {"header": {"member_id": IDS[name]}, **({"leader": IDS[self.leads]} if self.leads else {})}
        if what == "cluster/member/list":
            # One that was admitted and has not started yet has no name and no URL.
            named = [{"ID": id, "name": name, "clientURLs": [name]} for name, id in IDS.items()]
            return {"members": [*named, {"ID": "14"}]}
        if what == "maintenance/transfer-leadership":
            self.leads = next(name for name, id in IDS.items() if id == question["targetID"])
            return {}
        first, end = (program._decoded(question.get(side, "")) for side in ("key", "range_end"))
        found = {key: value for key, value in self.keys.items() if key == first or first <= key < end}
        return {"kvs": [{"key": program._coded(k), "value": program._coded(v)} for k, v in found.items()]}


@pytest.mark.parametrize(
    ("silent", "expected"), [((), "ops1"), (("ops1",), "db2"), (("ops1", "db2"), None)], ids=["all", "two", "alone"]
)
def test_one_without_data_leads_if_it_can(silent, expected):
    voters = Voters(silent=silent)
    assert program.hand_over(voters, "/estate/shop", "db1") == expected
    assert voters.leads == (expected or "db1")


@pytest.mark.parametrize("state", [{"leads": "db2"}, {"leads": None}, {"primary": "db2"}, {"primary": None}], ids=str)
def test_who_does_not_lead_or_has_no_primary_changes_nothing(state):
    voters = Voters(**state)
    assert program.hand_over(voters, "/estate/shop", "db1") is None
    assert voters.leads == state.get("leads", "db1")
