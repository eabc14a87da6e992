# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the baseline speaks of: a control that is wanted, what was seen of a host, one step that changes it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host.packages import Seen as PackagesSeen
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import FileState, UnitState


@dataclass(frozen=True)
class Wanted:
    """One control as the data has it; `options` are those of its kind."""

    id: str
    title: str
    kind: str
    options: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.options[name]

    def get(self, name: str, default: Any = None) -> Any:
        """An option that may be left out."""
        return self.options.get(name, default)


@dataclass(frozen=True)
class Finding:
    """How the host stands to a control. cannot: why what is left of it cannot hold on this host, found by looking.

    advice: who mends it, where that is not this baseline.
    """

    observed: Any
    expected: Any
    holds: bool
    cannot: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Step:
    """What apply() does for a change. verb: write, remove, mode, folder, sysctl, command, late (a command after all
    others), package or purge.
    """

    verb: str
    arguments: tuple


@dataclass(frozen=True)
class Person:
    """An account of /etc/passwd with what /etc/shadow has of it; `password` is None where shadow has no line."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    placeholder: str = "x"
    password: str | None = "*"
    changed_day: int = 0


@dataclass(frozen=True)
class Accounts:
    """People and groups of the host. groups: (name, number, members). first_uid: where people's numbers begin."""

    people: list[Person] = field(default_factory=list)
    groups: list[tuple[str, int, list[str]]] = field(default_factory=list)
    first_uid: int = 1000
    today: int = 0


@dataclass(frozen=True)
class Seen:
    """A host as it was read, once for all controls.

    sysctls: key as the control has it → file below /proc/sys → its value. read_only: files of these nobody may write.
    lacking: facility → why this host has none. skipped: units that systemd leaves out by their own conditions.
    owed: commands that a run which was cut short still had to run.
    """

    container: bool = False
    today: str = ""
    sysctls: dict[str, dict[str, str]] = field(default_factory=dict)
    read_only: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    mounts: dict[str, set[str]] = field(default_factory=dict)
    files: dict[str, FileState] = field(default_factory=dict)
    paths: dict[str, dict[str, FileState]] = field(default_factory=dict)
    owners: dict[str, int | None] = field(default_factory=dict)
    owner_groups: dict[str, int | None] = field(default_factory=dict)
    packages: PackagesSeen = field(default_factory=PackagesSeen)
    units: dict[str, UnitState] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    accounts: Accounts = field(default_factory=Accounts)
    sshd: dict[str, str] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    owed: list[list[str]] = field(default_factory=list)
