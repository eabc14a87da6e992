# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a vault file: a mapping `estate_secrets` whose values are each encrypted by themselves. Pure text work.

New values are added by text, not by reading and writing YAML, so what people wrote between them stays as it is.
"""

from __future__ import annotations

import re

KEY = "estate_secrets"
HEADER = f"""---
# The estate's secrets, each encrypted by itself with ansible-vault. Missing ones are added by retailerp.estate.{KEY};
# to replace one, delete its entry and run the playbook again, or use `ansible-vault encrypt_string`.
"""
_TOP = re.compile(rf"^{KEY}:[ \t]*(?:#.*|\{{\}}[ \t]*)?$", re.M)


class VaultFileError(ValueError):
    """The file is not of the form this collection writes; the message says what to do."""


def names_in(data) -> list:
    """Names of the secrets in a parsed vault file."""
    if data is None:
        return []
    if not isinstance(data, dict) or not isinstance(data.get(KEY) or {}, dict):
        raise VaultFileError(f"is not a mapping with {KEY} in it")
    return list(data.get(KEY) or {})


def check_whole(text: str) -> None:
    """Refuse a file that is encrypted as a whole: its entries could not be kept apart."""
    if text.lstrip().startswith("$ANSIBLE_VAULT"):
        raise VaultFileError(
            "is encrypted as a whole; decrypt it (ansible-vault decrypt) and encrypt each value (encrypt_string)"
        )


def added(text: str, values: dict) -> str:
    """The file's text with further values, `values` mapping a name to its vault text."""
    if not values:
        return text
    text = text or HEADER
    if not text.endswith("\n"):
        text += "\n"
    top = _TOP.search(text)
    if top is None:
        if re.search(rf"^{KEY}\s*:", text, re.M):
            raise VaultFileError(f"has {KEY} on one line; write an entry a line below it")
        text += f"{KEY}:\n"
        top = _TOP.search(text)
    before, after = text[: top.start()] + f"{KEY}:\n", text[top.end() :].lstrip("\n")
    inner = re.match(r"(?:[ \t]*#.*\n|\s*\n)*([ ]+)\S", after)
    indent = inner[1] if inner else "  "
    return before + "".join(entry(name, value, indent) for name, value in values.items()) + after


def entry(name: str, vault_text: str, indent: str = "  ") -> str:
    """One encrypted value as YAML."""
    lines = [line.strip() for line in vault_text.strip().splitlines()]
    return f"{indent}{name}: !vault |\n" + "".join(f"{indent}  {line}\n" for line in lines)
