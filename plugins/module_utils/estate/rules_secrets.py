# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the estate's secrets. No message repeats a value or a part of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem
from ansible_collections.retailerp.estate.plugins.module_utils.estate.schema import UNREADABLE, first_sentence, near

LEAST_LENGTH = 16
LEAST_DISTINCT = 8
#: Contained in secrets people did not choose.
_DEFAULTS = (
    "admin",
    "password",
    "passwd",
    "changeme",
    "change-me",
    "change_me",
    "secret",
    "odoo",
    "postgres",
    "redis",
    "traefik",
    "default",
    "qwerty",
    "letmein",
    "12345678",
    "abcdefgh",
)
_PEM = {"ca_certificate": "CERTIFICATE-----", "ca_private_key": "PRIVATE KEY-----"}


def of_secrets(secrets: Any, options: Mapping, path: str = "estate_secrets") -> list:
    """Missing, unknown, weak, default and repeated secrets. `options`: those of the argument spec."""
    if not isinstance(secrets, Mapping):
        return [Problem(path, "is missing; retailerp.estate.estate_secrets makes all of them")]
    found = [
        Problem(f"{path}.{key}", f"is not an option{near(str(key), list(options))}")
        for key in secrets
        if key not in options
    ]
    seen: dict = {}
    for key, option in options.items():
        value, here = secrets.get(key), f"{path}.{key}"
        if value is UNREADABLE:
            continue
        if value is None and not option.get("required"):
            continue
        if value is None:
            found.append(Problem(here, f"is missing ({first_sentence(option)})"))
        elif not isinstance(value, str):
            found.append(Problem(here, "is not text; quote it"))
        elif key in _PEM:
            if "-----BEGIN " not in value or _PEM[key] not in value:
                found.append(Problem(here, "is not PEM text"))
        else:
            found += [Problem(here, message) for message in weaknesses(value)]
            if value in seen:
                found.append(Problem(here, f"is the same as {path}.{seen[value]}; every secret opens one door"))
            seen.setdefault(value, key)
    return found


def of_next_secrets(following: Any, secrets: Any, options: Mapping, path: str = "estate_secrets_next") -> list:
    """What is wrong with the next generation; none at all is right. `options`: those of the argument spec."""
    if following is None:
        return []
    if not isinstance(following, Mapping):
        return [Problem(path, "is not a mapping; playbook rotate_secrets makes it")]
    # Unreadable values are of a class that compares by identity; lists and mappings were told of already.
    known = secrets if isinstance(secrets, Mapping) else {}
    seen = {value: f"estate_secrets.{key}" for key, value in known.items() if isinstance(value, str)}
    found = []
    for key, value in following.items():
        here = f"{path}.{key}"
        if key not in options:
            found.append(Problem(here, f"is not a secret that is rotated{near(str(key), list(options))}"))
        elif value is UNREADABLE:
            continue
        elif not isinstance(value, str):
            found.append(Problem(here, "is not text; quote it"))
        else:
            found += [Problem(here, message) for message in weaknesses(value)]
            if value in seen:
                found.append(Problem(here, f"is the same as {seen[value]}; a next value is a new one"))
            seen.setdefault(value, here)
    return found


def weaknesses(value: str) -> list:
    """What is wrong with a secret, in words that do not repeat it; the gravest alone."""
    lower = value.lower()
    if any(char.isspace() or not char.isprintable() for char in value):
        return ["contains white space or control characters; was a line end encrypted with it?"]
    if any(lower == word or lower.strip("0123456789!.-_") == word for word in _DEFAULTS):
        return ["is a default password; let retailerp.estate.estate_secrets make one"]
    if len(value) < LEAST_LENGTH:
        return [f"is weak: shorter than {LEAST_LENGTH} characters"]
    if len(set(value)) < LEAST_DISTINCT:
        return [f"is weak: fewer than {LEAST_DISTINCT} different characters"]
    if any(word in lower for word in _DEFAULTS) and len(value) < 24:
        return ["is weak: built around a default password"]
    return []
