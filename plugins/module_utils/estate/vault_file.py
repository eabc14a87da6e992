# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a vault file: a mapping `estate_secrets` whose values are each encrypted by themselves. Pure text work.

Beside it is `estate_secrets_next` while passwords are rotated. Values are added, replaced and removed by text, not by
reading and writing YAML, so what people wrote between them stays as it is.
"""

from __future__ import annotations

import re

KEY = "estate_secrets"
NEXT = f"{KEY}_next"
HEADER = f"""---
# The estate's secrets, each encrypted by itself with ansible-vault. Missing ones are added by retailerp.estate.{KEY};
# to replace one, delete its entry and run the playbook again, or use `ansible-vault encrypt_string`.
"""


class VaultFileError(ValueError):
    """The file is not of the form this collection writes; the message says what to do."""


def names_in(data, key: str = KEY) -> list:
    """Names of the secrets in a parsed vault file."""
    if data is None:
        return []
    if not isinstance(data, dict) or not isinstance(data.get(key) or {}, dict):
        raise VaultFileError(f"is not a mapping with {key} in it")
    return list(data.get(key) or {})


def check_whole(text: str) -> None:
    """Refuse a file that is encrypted as a whole: its entries could not be kept apart."""
    if text.lstrip().startswith("$ANSIBLE_VAULT"):
        raise VaultFileError(
            "is encrypted as a whole; decrypt it (ansible-vault decrypt) and encrypt each value (encrypt_string)"
        )


def added(text: str, values: dict, key: str = KEY) -> str:
    """The file's text with further values below `key`, `values` mapping a name to its vault text."""
    if not values:
        return text
    text = text or HEADER
    if not text.endswith("\n"):
        text += "\n"
    top = re.compile(rf"^{key}:[ \t]*(?:#.*|\{{\}}[ \t]*)?$", re.M)
    found = top.search(text)
    if found is None:
        if re.search(rf"^{key}\s*:", text, re.M):
            raise VaultFileError(f"has {key} on one line; write an entry a line below it")
        text += f"{key}:\n"
        found = top.search(text)
    before, after = text[: found.start()] + f"{key}:\n", text[found.end() :].lstrip("\n")
    inner = re.match(r"(?:[ \t]*#.*\n|\s*\n)*([ ]+)\S", after)
    indent = inner[1] if inner else "  "
    return before + "".join(entry(name, value, indent) for name, value in values.items()) + after


def adopted(text: str, values: dict) -> str:
    """The file's text once these values, `values` as in `added`, are the current ones and nothing is next any more."""
    start, end = _block(text, NEXT)
    text = text[:start] + text[end:]
    for name, value in values.items():
        start, end = _block(text, KEY)
        found = re.compile(rf"^([ ]+){re.escape(name)}:[^\n]*\n(?:\1[ ]+\S[^\n]*(?:\n|\Z))*", re.M).search(
            text, start, end
        )
        if found is None:
            raise VaultFileError(f"holds no entry {name} below {KEY} that could be replaced")
        text = text[: found.start()] + entry(name, value, found[1]) + text[found.end() :]
    return text


def _block(text: str, key: str) -> tuple:
    """Where a top-level key with all that is indented below it begins and ends; comments after the last entry stay."""
    found = re.compile(
        rf"^{key}:[^\n]*(?:\n|\Z)(?:(?:[ \t]*\n|[ \t]*#[^\n]*\n)*[ \t]+[^\s#][^\n]*(?:\n|\Z))*", re.M
    ).search(text)
    if found is None:
        raise VaultFileError(f"has no {key}")
    return found.span()


def entry(name: str, vault_text: str, indent: str = "  ") -> str:
    """One encrypted value as YAML."""
    lines = [line.strip() for line in vault_text.strip().splitlines()]
    return f"{indent}{name}: !vault |\n" + "".join(f"{indent}  {line}\n" for line in lines)
