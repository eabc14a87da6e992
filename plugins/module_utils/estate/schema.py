# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a value against the options of an argument spec, naming every problem by its YAML path.

The argument spec is the one in roles/estate/meta/argument_specs.yml, given as a dictionary. Ansible's own validator
stops early and names options, not paths; this one goes on, so that an operator repairs the whole file at once.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem, whole

_NAMES = {"str": "text", "int": "a whole number", "bool": "true or false", "list": "a list", "dict": "a mapping"}


class _Absent:
    """Stands for a value that could not be read; it was already reported."""

    def __repr__(self) -> str:
        return "(unreadable)"


#: Put in place of a value that exists but could not be read (locked, undefined variable).
UNREADABLE = _Absent()


def check(value: Any, options: Mapping[str, Any], path: str) -> tuple:
    """Return (value with defaults filled in, problems). Never raises.

    A key with a problem is left out of the returned value (or UNREADABLE stays), so cross-field rules skip it.
    """
    problems = []
    if not isinstance(value, Mapping):
        return {}, [Problem(path, f"is {_said(value)}, not a mapping of options")]
    for key in value:
        if key not in options:
            problems.append(Problem(f"{path}.{_printable(key)}", _unknown(str(key), options)))
    result = {}
    for key, option in options.items():
        here = f"{path}.{key}"
        given = value.get(key)
        if given is UNREADABLE:
            continue
        if given is None:
            if option.get("required"):
                problems.append(Problem(here, f"is missing ({first_sentence(option)})"))
                continue
            if "default" not in option:
                continue
            given = option["default"]
        if option.get("type") == "dict" and "options" in option:
            result[key], more = check(given, option["options"], here)
            problems.extend(more)
            continue
        good, more = _value(given, option, here)
        problems.extend(more)
        if not more:
            result[key] = good
    return result, problems


def _value(given: Any, option: Mapping[str, Any], path: str) -> tuple:
    """One leaf: (converted value, problems)."""
    kind = option.get("type", "str")
    if kind == "list":
        if not isinstance(given, (list, tuple)):
            return None, [Problem(path, f"is {_said(given)}, not a list")]
        items, problems = [], []
        for index, item in enumerate(given):
            if item is UNREADABLE:
                continue
            if option.get("elements") == "dict" and "options" in option:
                good, more = check(item, option["options"], f"{path}[{index}]")
            else:
                good, more = _value(item, {**option, "type": option.get("elements", "str")}, f"{path}[{index}]")
            problems.extend(more)
            items.append(good)
        return items, problems
    good = _convert(given, kind)
    if good is None:
        hint = "; quote it" if kind == "str" and isinstance(given, (int, float, datetime.date)) else ""
        return None, [Problem(path, f"is {_said(given)}, not {_NAMES[kind]}{hint}")]
    if kind == "str" and not good.strip():
        return None, [Problem(path, f"is empty ({first_sentence(option)})")]
    choices = option.get("choices")
    if choices and good not in choices:
        return None, [
            Problem(path, f"is {good}; choose {', '.join(choices[:-1])} or {choices[-1]}{near(good, choices)}")
        ]
    return good, []


def _convert(given: Any, kind: str) -> Any:
    """The value as the wanted type, or None when it is of another one. Text is never made of other types."""
    if kind == "str":
        return str(given) if isinstance(given, str) else None
    if kind == "int":
        return whole(given)
    if kind == "bool":
        words = {"true": True, "yes": True, "false": False, "no": False}
        return given if isinstance(given, bool) else words.get(given.lower()) if isinstance(given, str) else None
    if kind == "dict":
        return dict(given) if isinstance(given, Mapping) else None
    return None


def _said(value: Any) -> str:
    """How a message names a value of the wrong type; long or nested ones only by their kind."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return f"{str(value)[:40].lower() if isinstance(value, bool) else str(value)[:40]} ({type(value).__name__})"


def first_sentence(option: Mapping[str, Any]) -> str:
    """First sentence of an option's description, as a hint, without documentation markup."""
    text = option.get("description", "")
    text = text if isinstance(text, str) else text[0]
    text = re.sub(r"\b[CVOP]\(([^)]*)\)", r"\1", text)
    return text.strip().split(". ")[0].rstrip(".")


def _printable(key: Any) -> str:
    """A key as one line; one that could break the line is quoted."""
    return str(key) if str(key).isprintable() else repr(key)


def _unknown(key: str, options: Mapping[str, Any]) -> str:
    return f"is not an option{near(key, list(options)) or '; options here: ' + ', '.join(options)}"


def near(word: str, words: list) -> str:
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
