# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file of the addons counts for the release's identity; what Python leaves behind does not."""

from __future__ import annotations

from ansible_collections.retailerp.estate.plugins.lookup.odoo_release import digests


def test_every_file_counts_and_compiled_ones_do_not(tmp_path):
    addon = tmp_path / "addon"
    (addon / "__pycache__").mkdir(parents=True)
    (addon / "__pycache__" / "x.pyc").write_bytes(b"x")
    (addon / "views").mkdir()
    (addon / "__init__.py").write_text("one", encoding="utf-8")
    (addon / "views" / "a.xml").write_text("<odoo/>", encoding="utf-8")
    before = digests(str(tmp_path))
    assert sorted(before) == ["addon/__init__.py", "addon/views/a.xml"]
    (addon / "__init__.py").write_text("two", encoding="utf-8")
    assert digests(str(tmp_path))["addon/__init__.py"] != before["addon/__init__.py"]
