# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages a minor upgrade changes, and whether the server restarts for it. Pure: no I/O, no Ansible."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, EstateError


@dataclass(frozen=True)
class Found:
    """What is on the host.

    installed: version by package, of all packages that are built from the server's source.
    offered: for the server's package, versions the sources have, newest first, with the installed one among them.
    candidate: the one of these that apt would install, going by the operator's pins.
    broken: packages that an interrupted run left half installed.
    running: the server runs; outdated: its program was replaced since it started.
    unheld: the server's package may be changed by anybody.
    """

    installed: dict[str, str] = field(default_factory=dict)
    offered: tuple[str, ...] = ()
    candidate: str | None = None
    broken: tuple[str, ...] = ()
    running: bool = False
    outdated: bool = False
    unheld: bool = False


def parse_policy(text: str) -> tuple[str | None, tuple[str, ...]]:
    """The candidate and all versions, newest first, from what `apt-cache policy` says of one package."""
    candidate = re.search(r"^  Candidate: (\S+)$", text, re.MULTILINE)
    versions = re.findall(r"^ (?:\*\*\*|   ) (\S+) -?\d+$", text, re.MULTILINE)
    return (candidate[1] if candidate and candidate[1] != "(none)" else None), tuple(versions)


def target(found: Found, major: str, to: str | None) -> str:
    """The version of the server's package to be reached. Raises EstateError where there is none that may be."""
    package = f"postgresql-{major}"
    present = found.installed.get(package)
    if present is None:
        raise EstateError(
            f"{package} is not installed here: run the playbook data, or pg_major_upgrade for another version"
        )
    order = list(found.offered)
    if to is None:
        newest = found.candidate or present
        return newest if _rank(order, newest) < _rank(order, present) else present
    if present == to or present.startswith(f"{to}-"):
        return present
    meant = [version for version in order if version == to or version.startswith(f"{to}-")]
    if not meant:
        raise EstateError(f"to: the sources of this host do not offer {package} {to}, but {', '.join(order) or 'none'}")
    if _rank(order, meant[0]) > _rank(order, present):
        raise EstateError(f"to: {meant[0]} is older than {present}, which is installed; a server does not go back")
    return meant[0]


def _rank(order: list[str], version: str) -> int:
    return order.index(version) if version in order else len(order)


def plan(found: Found, major: str, unit: str, version: str) -> list[Change]:
    """The steps, in order; the data of each Change names it for apply()."""
    changes = []
    if found.broken:
        changes.append(
            Change(
                "packages of an interrupted run", "update", ", ".join(found.broken), "installed whole", data="packages"
            )
        )
    present = found.installed.get(f"postgresql-{major}")
    for name, before in sorted(found.installed.items()):
        if before != version:
            changes.append(Change(f"package {name}", "update", before, version, data="packages"))
    if found.unheld:
        changes.append(Change(f"hold of package postgresql-{major}", "create", None, "held", data="packages"))
    if found.running and (found.outdated or present != version):
        before = "an older program" if present == version else upstream(present or "")
        changes.append(Change(f"service {unit}", "restart", before, upstream(version), data="restart"))
    return changes


def upstream(version: str) -> str:
    """PostgreSQL's own number of a package's version."""
    return version.partition("-")[0]
