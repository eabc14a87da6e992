# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a vault file: what people wrote around the values stays."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.estate import vault_file

OLD = """---
# the estate's
estate_secrets:
    # of Odoo
    postgresql_application: !vault |
      $ANSIBLE_VAULT;1.1;AES256
      6161

    # of people
    postgresql_reporting: !vault |-
          $ANSIBLE_VAULT;1.1;AES256
          6262
# beside it
another: value
"""


def new(word):
    return f"$ANSIBLE_VAULT;1.1;AES256\n{word}\n"


def test_a_next_generation_is_added_beside_the_current_one():
    text = vault_file.added(OLD, {"postgresql_application": new("6363")}, vault_file.NEXT)
    assert text.startswith(OLD)
    assert text[len(OLD) :] == (
        "estate_secrets_next:\n  postgresql_application: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    6363\n"
    )
    more = vault_file.added(text, {"postgresql_reporting": new("6464")}, vault_file.NEXT)
    assert more.count("estate_secrets_next:") == 1


@pytest.mark.parametrize("tail", ["", "# a last word\n", "last: value\n"])
def test_adopting_replaces_values_in_their_place(tail):
    values = {"postgresql_application": new("6363"), "postgresql_reporting": new("6464")}
    text = vault_file.adopted(vault_file.added(OLD, values, vault_file.NEXT) + tail, values)
    expected = OLD.replace("6161", "6363").replace("6262", "6464").replace("|-\n", "|\n")
    assert text.split() == (expected + tail).split()
    assert "    # of Odoo\n    postgresql_application: !vault |\n      $ANSIBLE" in text
    assert text.endswith("# beside it\nanother: value\n" + tail)


def test_adopting_keeps_what_stands_after_the_next_generation():
    values = {"postgresql_application": new("6363")}
    first = vault_file.added("", values, vault_file.NEXT)
    text = vault_file.adopted(first + OLD.removeprefix("---\n"), values)
    assert "6161" not in text
    assert text.endswith(OLD.split("6161")[1])


def test_an_entry_that_is_not_there_is_named():
    text = vault_file.added(OLD, {"redis_monitor": new("6363")}, vault_file.NEXT)
    with pytest.raises(vault_file.VaultFileError, match="no entry redis_monitor"):
        vault_file.adopted(text, {"redis_monitor": new("6363")})
