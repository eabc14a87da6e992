# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a copy, and every reason why one stays out."""

from __future__ import annotations

import json

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.copies import record
from ansible_collections.retailerp.estate.plugins.module_utils.drill.plan import Restored
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.plan import Point

POINT = Point("monday", 1000.0, "r1", "f1", "/srv/shop", "label", "0/1", "0" * 24, 3)
RECORDED = {
    "odoo": {"image": "registry/odoo@sha256:" + "0" * 64, "series": "14.0", "health_path": "/web/health"},
    "database": {"server_version": "17.6"},
    "filestore": {"lost": ["00/aa"]},
}
CONTENTS = """;
;     Dumped from database version: 17.6
;
5; 2615 2200 SCHEMA - public pg_database_owner
3479; 0 0 COMMENT - SCHEMA public pg_database_owner
2; 3079 16389 EXTENSION - pg_trgm
3475; 0 0 COMMENT - EXTENSION pg_trgm
4; 3079 16390 EXTENSION - plpgsql
224; 1259 16513 TABLE public res_partner shop_application
3482; 0 0 COMMENT public TABLE res_partner shop_application
3462; 0 16513 TABLE DATA public res_partner shop_application
3303; 1259 16548 INDEX public partner_name shop_application
"""
PARTS = {record.DUMP: {"sha256": "d", "bytes": 10}, record.FILES: {"sha256": "f", "bytes": 20}}
TARGET = record.Target("test", "14.0", ("base",), ("pg_trgm", "unaccent"))


def text(**changed):
    """A whole record, with something changed."""
    found = Restored(POINT, 4600.0, RECORDED, rows={"res_users": 7}, modules={"base": "14.0.1.3"}, attachments=192)
    return json.dumps({**json.loads(record.build(found, "shop", CONTENTS, PARTS)), **changed})


def test_a_whole_copy_of_the_same_series_comes_in():
    assert record.problems(text(), PARTS, TARGET) == []
    told = record.report(text())
    assert (told["estate"], told["point"]["name"], told["server_version"]) == ("shop", "monday", "17.6")
    assert (told["attachments"], told["lost"]) == (192, ["00/aa"])


def test_two_copies_of_one_point_are_two():
    again = text(parts={**PARTS, record.DUMP: {"sha256": "e", "bytes": 10}})
    assert record.report(text())["id"] == record.report(text())["id"] != record.report(again)["id"]


def test_every_reason_is_told_at_once():
    other = record.Target("production", "16.0", ("base", "stock"), ())
    found = record.problems(text(), {record.DUMP: {"sha256": "x", "bytes": 9}}, other)
    said = "\n".join(found)
    for words in ("in production", "files.tar is missing", "(9 bytes)", "Odoo 14.0", "stock", "pg_trgm"):
        assert words in said
    assert len(found) == 6


@pytest.mark.parametrize(
    "broken",
    [None, "", "{", "[]", "{}", '{"version": 1}', text(odoo={}), text(database={"modules": []}), text(point="monday")],
)
def test_a_record_that_is_none_says_no_more(broken):
    (found,) = record.problems(broken, PARTS, TARGET)
    assert "missing or not whole" in found


def test_a_record_of_another_time_is_refused():
    (found,) = record.problems(text(version=2), PARTS, TARGET)
    assert "version 2" in found


def test_what_the_estate_has_already_is_not_loaded():
    kept = record.to_load(CONTENTS).splitlines()
    assert [line.split()[3] for line in kept] == ["TABLE", "COMMENT", "TABLE", "INDEX"]
    assert record.extensions(CONTENTS) == ["pg_trgm"]
