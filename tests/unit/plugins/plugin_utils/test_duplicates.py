# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that stand twice are found wherever they stand, and files that Ansible judges itself are passed over."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.plugin_utils import duplicates


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("estate_spec: {id: a}\nestate_spec: {id: b}\n", ["estate_spec"]),
        ("estate_spec:\n  odoo: {users: 1, users: 2}\n", ["estate_spec.odoo.users"]),
        ("estate_spec: {a: [{b: 1, b: 2}]}\n", ["estate_spec.a[0].b"]),
        ("estate_secrets:\n  odoo_master: !vault |\n    a\n  odoo_master: x\n", ["estate_secrets.odoo_master"]),
        ("mine: {a: 1, a: 2}\n", []),
        ("estate_spec: {a: 1, b: {a: 1}}\n", []),
        ("$ANSIBLE_VAULT;1.1;AES256\n3132\n", []),
        ("estate_spec: [\n", []),
        ("", []),
    ],
)
def test_what_stands_twice(tmp_path, text, found):
    file = tmp_path / "all.yml"
    file.write_text(text)
    assert [problem.path for problem in duplicates.problems([file])] == found


def test_a_file_that_is_not_there(tmp_path):
    assert duplicates.problems([tmp_path / "all.yml"]) == []
