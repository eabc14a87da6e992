# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a copy of a shop consists of, what is told of it, and whether it may come into an estate. Pure: no I/O.

A copy is a directory of three files: the database as pg_dump writes it, the files that its rows name, and a record that
names both with their sums. The record is written last: a copy without one was cut short.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.drill.plan import Restored
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.plan import digest, iso

DUMP, FILES, RECORD = "database.dump", "files.tar", "copy.json"
PARTS = (DUMP, FILES)
VERSION = 1
#: So many names in one line are enough to begin with.
TOLD = 10
_EXTENSION = re.compile(r"\d+; \d+ \d+ EXTENSION - (\S+)")


@dataclass(frozen=True)
class Target:
    """The estate that a copy is to come into, as it is planned. modules, extensions: of its database."""

    environment: str
    series: str
    modules: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()


def build(found: Restored, estate: str, contents: str, parts: Mapping[str, Mapping[str, Any]]) -> str:
    """The record's text. contents: pg_restore's list of the dump; parts: name → sha256 and bytes."""
    recorded = found.record
    said = {
        "version": VERSION,
        "estate": estate,
        "point": {"name": found.point.name, "at": iso(found.point.at)},
        "made": iso(found.began),
        "odoo": {key: recorded["odoo"][key] for key in ("image", "series")},
        "database": {
            "server_version": recorded["database"]["server_version"],
            "extensions": extensions(contents),
            "rows": dict(found.rows),
            "modules": dict(found.modules),
        },
        "filestore": {"attachments": found.attachments, "lost": lost(recorded)},
        "parts": {name: dict(parts[name]) for name in PARTS},
    }
    return json.dumps(said, indent=2, sort_keys=True) + "\n"


def lost(record: Mapping[str, Any]) -> list[str]:
    """Files of attachments that were gone before the point was taken: no copy has them."""
    return list(record.get("filestore", {}).get("lost", []))


def extensions(contents: str) -> list[str]:
    """The extensions that a dump asks for, from pg_restore's list of it; the language that is always there is none."""
    found = (_EXTENSION.match(line) for line in contents.splitlines())
    return sorted(name[1] for name in found if name and name[1] != "plpgsql")


def to_load(contents: str) -> str:
    """pg_restore's list of a dump without what is there already, or only a superuser may make."""
    kept = [line for line in contents.splitlines() if not line.startswith(";") and not _is_made(line)]
    return "\n".join(kept) + "\n"


def _is_made(line: str) -> bool:
    words = line.split()
    kind, named = words[3:4], words[5:7]
    if kind == ["EXTENSION"]:
        return True
    if kind == ["SCHEMA"]:
        return named[:1] == ["public"]
    return kind == ["COMMENT"] and (named[:1] == ["EXTENSION"] or named == ["SCHEMA", "public"])


def identity(text: str) -> str:
    """A short name for a copy, the same only for the same one."""
    return digest(text)


def problems(text: str | None, parts: Mapping[str, Mapping[str, Any]], target: Target) -> list[str]:
    """Every reason why a copy does not come into this estate.

    text: the record, None where there is none; parts: name → sha256 and bytes of what is there.
    """
    found = []
    if target.environment == "production":
        found.append("this estate is in production; a copy takes the place of no shop that is")
    record = _read(text)
    if record is None:
        return [
            *found,
            f"{RECORD} is missing or not whole: name a directory that playbook copy_out filled, or run it again",
        ]
    if record["version"] != VERSION:
        return [
            *found,
            f"{RECORD} has the version {record['version']!r}; known is {VERSION}: copy with this collection",
        ]
    for name in PARTS:
        if name not in parts:
            found.append(f"{name} is missing")
        elif dict(parts[name]) != dict(record["parts"].get(name, {})):
            found.append(
                f"{name} is not what {RECORD} says ({parts[name]['bytes']} bytes): it was cut short or changed"
            )
    series = record["odoo"]["series"]
    if series != target.series:
        found.append(f"the copy is of Odoo {series}, this estate plans {target.series}")
    # What Odoo installed now would come with jobs of its own, after the copy was made neutral.
    found += _absent("modules", target.modules, record["database"]["modules"])
    more = sorted(set(record["database"]["extensions"]) - set(target.extensions))
    if more:
        found.append(f"the copy needs extensions of PostgreSQL that this estate's database does not get: {_some(more)}")
    return found


def _absent(what: str, planned: Iterable[str], there: Iterable[str]) -> list[str]:
    missing = sorted(set(planned) - set(there))
    return [f"the copy lacks {what} that this estate plans: {_some(missing)}; plan those it has"] if missing else []


def _some(names: list[str]) -> str:
    return ", ".join(names[:TOLD]) + (f" and {len(names) - TOLD} more" if len(names) > TOLD else "")


def _read(text: str | None) -> Any:
    """The record as far as it has the form of one."""
    try:
        record = json.loads(text or "")
        shaped = (
            isinstance(record["version"], int) and bool(record["odoo"]["series"]) and isinstance(record["parts"], dict)
        )
        database = record["database"]
        shaped = shaped and isinstance(database["modules"], dict) and isinstance(database["extensions"], list)
        shaped = (
            shaped and isinstance(database["server_version"], str) and isinstance(record["filestore"]["lost"], list)
        )
        shaped = shaped and isinstance(record["point"]["name"], str)
    except (ValueError, KeyError, TypeError):
        return None
    return record if shaped else None


def report(text: str) -> dict[str, Any]:
    """What is told of a copy whose problems are none."""
    record = json.loads(text)
    keys = ("estate", "made", "point", "odoo")
    told = {key: record[key] for key in keys}
    return {**told, "id": identity(text), "server_version": record["database"]["server_version"], **record["filestore"]}
