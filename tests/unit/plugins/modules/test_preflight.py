# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module preflight reads of a host."""

from __future__ import annotations

from ansible_collections.retailerp.estate.plugins.modules import preflight


def test_release_quoted_and_not():
    assert preflight.release('NAME="Debian"\nVERSION_ID="13"\nID=debian\n') == ("debian", "13")
    assert preflight.release("ID=arch\n") == ("arch", "unknown")


def test_memory():
    assert preflight.memory_mb("MemTotal:        4014080 kB\nMemFree: 1 kB\n") == 3920
    assert preflight.memory_mb("") == 0


def test_addresses_of_all_links():
    said = '[{"addr_info": [{"local": "127.0.0.1"}]}, {}, {"addr_info": [{"local": "10.77.0.61"}, {}]}]'
    assert preflight.addresses(said) == ["127.0.0.1", "10.77.0.61"]
    assert preflight.addresses("") == []


def test_free_space_is_mebibytes(tmp_path):
    assert 0 < preflight.free_mb(str(tmp_path)) < 2**30
