# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pgBackRest says of a cluster's backups, and what is to be done about it. Pure: no I/O, no Ansible.

The account is that of `pgbackrest info --output=json`; its codes are those of pgBackRest's src/command/info/info.c.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import wal
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, EstateError

PROGRAM = "/usr/bin/pgbackrest"
ARCHIVE = "/usr/local/lib/retailerp-estate/pgbackrest-archive"
"""pgBackRest makes no backup of a server whose archive_command lacks the word pgbackrest."""
OK, NO_PATH, NO_BACKUP, NO_DATA, OTHER = 0, 1, 2, 3, 99
MISSING = (NO_PATH, NO_DATA)
TYPES = ("full", "diff", "incr")
FIRST = "full"
"""An estate is not left without a backup until the night: what a store gets that has none."""


@dataclass(frozen=True)
class Store:
    """One repository: its status, and the cluster that its stanza was made or upgraded for last.

    database: pgBackRest's number of that cluster; a major upgrade makes the next one.
    """

    number: int
    code: int
    message: str = ""
    system_identifier: str | None = None
    version: str | None = None
    database: int = 1


@dataclass(frozen=True)
class Backup:
    """One backup. Sizes in bytes: of the cluster, and of what this backup added to the store. Times since the epoch.

    database: as a Store's; what it does not share with its store's is of before a major upgrade.
    """

    store: int
    label: str
    type: str
    began: int
    ended: int
    size: int
    stored: int
    damaged: bool
    wal_begin: str | None = None
    wal_end: str | None = None
    database: int = 1

    def report(self) -> dict[str, Any]:
        """For an operator."""
        return {**vars(self), "seconds": self.ended - self.began}


@dataclass(frozen=True)
class Account:
    """All that pgBackRest says of a stanza. archives: store → each archive's id, first and last segment; newest last.

    busy: a backup runs on this very host. kits: store → its recovery kit, of those that were asked for one.
    """

    stores: tuple[Store, ...] = ()
    backups: tuple[Backup, ...] = ()
    archives: Mapping[int, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    busy: bool = False
    kits: Mapping[int, str | None] = field(default_factory=dict)

    def of(self, number: int) -> Store:
        """One store; one that nothing is known of has nothing."""
        known = [store for store in self.stores if store.number == number]
        return known[0] if known else Store(number, NO_PATH, "missing stanza path")

    def current(self, number: int) -> list[Backup]:
        """A store's backups of the cluster of today; those of before a major upgrade have an archive of their own."""
        database = self.of(number).database
        return [one for one in self.backups if one.store == number and one.database == database]

    def newest(self, number: int, *types: str) -> Backup | None:
        """The backup of a store that ended last; a damaged one is none."""
        found = [
            one for one in self.backups if one.store == number and not one.damaged and one.type in (types or TYPES)
        ]
        return max(found, key=lambda one: one.ended, default=None)


def archive_command(stanza: str) -> str:
    """What PostgreSQL calls for each file of its log; see roles/postgresql_backup/files/pgbackrest-archive.sh."""
    return f"{ARCHIVE} {stanza} %p %f"


def readable(said: str) -> str:
    """Up to where a message stops being text: of what a wrong key opened, pgBackRest quotes every byte."""
    return " ".join(re.split(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]", said)[0].split())


def parsed(out: str) -> list[dict[str, Any]]:
    """What `info --output=json` said. Such bytes stand in it as they are, where JSON wants them escaped."""
    return json.loads(out, strict=False)


def account(told: Sequence[Mapping[str, Any]]) -> Account:
    """The account of the one stanza that was asked for."""
    if not told:
        return Account()
    stanza = told[0]
    latest: dict[int, Mapping[str, Any]] = {}
    for made in sorted(stanza.get("db", []), key=lambda one: one["id"]):
        latest[made["repo-key"]] = made
    stores = [
        Store(
            repo["key"],
            repo["status"]["code"],
            readable(repo["status"]["message"]),
            str(latest[repo["key"]]["system-id"]) if repo["key"] in latest else None,
            latest[repo["key"]]["version"] if repo["key"] in latest else None,
            latest[repo["key"]]["id"] if repo["key"] in latest else 1,
        )
        for repo in stanza.get("repo", [])
    ]
    archives: dict[int, list] = {}
    for one in sorted(stanza.get("archive", []), key=lambda one: one["database"]["id"]):
        archives.setdefault(one["database"]["repo-key"], []).append(
            {"id": one["id"], "first": one.get("min"), "last": one.get("max")}
        )
    return Account(
        tuple(stores),
        tuple(_backup(one) for one in stanza.get("backup", [])),
        archives,
        bool(stanza.get("status", {}).get("lock", {}).get("backup", {}).get("held")),
    )


def _backup(told: Mapping[str, Any]) -> Backup:
    repository = told["info"]["repository"]
    return Backup(
        store=told["database"]["repo-key"],
        label=told["label"],
        type=told["type"],
        began=told["timestamp"]["start"],
        ended=told["timestamp"]["stop"],
        size=told["info"]["size"],
        # Of a bundled backup pgBackRest knows the size of what it added alone.
        stored=repository.get("delta", repository.get("size", 0)),
        damaged=bool(told.get("error")),
        wal_begin=(told.get("archive") or {}).get("start"),
        wal_end=(told.get("archive") or {}).get("stop"),
        database=told["database"]["id"],
    )


@dataclass(frozen=True)
class Desired:
    """What the plan wants: a stanza of this cluster in each store, and a backup; now: the type of one made at once.

    system_identifier, version: of the primary that runs; unknown where check mode meets a bare host.
    before: each store's newest backup when the run began, which a backup of now is newer than. kit: the sealed recovery
    kit, that each store has, too; none where there is no recovery key. upgraded: somebody says that this cluster was
    made of the one in the stores.
    """

    stanza: str
    stores: tuple[int, ...]
    system_identifier: str | None = None
    version: str | None = None
    now: str | None = None
    before: Mapping[int, str | None] | None = None
    kit: str | None = None
    upgraded: bool = False


def plan(found: Account, desired: Desired) -> list[Change]:
    """The steps, in order; the data of each Change names it for apply()."""
    stores = [found.of(number) for number in desired.stores]
    silent = [store for store in stores if store.code == OTHER]
    # A backup of now goes to whoever answers; that the other did not fails the run afterwards.
    if silent and not (desired.now and len(silent) < len(stores)):
        raise EstateError("; ".join(f"store {store.number}: {' '.join(store.message.split())}" for store in silent))
    _refuse_foreign(desired, stores)
    changes, resource = [], f"stanza {desired.stanza}"
    missing = [store.number for store in stores if store.code in MISSING]
    if missing:
        changes.append(Change(resource, "create", None, f"in store {_listed(missing)}", data="create"))
    older = [store for store in stores if desired.version and store.version not in (None, desired.version)]
    if older:
        _refuse_unsaid(desired, older)
        before = ", ".join(sorted({f"PostgreSQL {store.version}" for store in older}))
        changes.append(Change(resource, "update", before, f"PostgreSQL {desired.version}", data="upgrade"))
    due = [number for number in desired.stores if not _made(found, desired, number)]
    if due:
        changes.append(Change(f"{desired.now or FIRST} backup to store {_listed(due)}", "run", data="back_up"))
    other = [number for number in desired.stores if desired.kit and found.kits.get(number) != desired.kit]
    if other:
        before = None if all(found.kits.get(number) is None for number in other) else "another"
        changes.append(Change(f"recovery kit in store {_listed(other)}", "update", before, "of today", data="lay_kit"))
    return changes


def _made(found: Account, desired: Desired, number: int) -> bool:
    """Whether a store has what is wanted: a backup of now, otherwise any at all."""
    if not desired.now:
        return any(one.store == number for one in found.backups)
    newest, before = found.newest(number), (desired.before or {}).get(number)
    return newest is not None and newest.label != before


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join(map(str, numbers))


def _refuse_unsaid(desired: Desired, older: Sequence[Store]) -> None:
    """A store with another version: of this cluster before its upgrade, or of a lost one, whose place it would take."""
    if not desired.upgraded:
        raise EstateError(
            f"store {_listed([store.number for store in older])} holds backups of PostgreSQL {older[0].version} as "
            f"{desired.stanza}, and this cluster is of {desired.version}; nothing is written: after an upgrade add "
            "-e upgraded=true, and if that cluster is lost, run disaster on hosts with its version"
        )


def _refuse_foreign(desired: Desired, stores: Sequence[Store]) -> None:
    """A store that holds another cluster of the same version: pgBackRest would take its archive over."""
    own = desired.system_identifier
    foreign = [store for store in stores if own and store.version == desired.version and store.system_identifier != own]
    if foreign:
        raise EstateError(
            f"store {_listed([store.number for store in foreign])} holds another cluster's backups as {desired.stanza} "
            f"(system {foreign[0].system_identifier}, this one is {own}); nothing is written: restore from it, or give "
            "this estate a path of its own"
        )


def largest(account: Account, store: int | None = None) -> int:
    """Bytes of the largest cluster among the backups of a store, or of all: what a copy may take."""
    return max((one.size for one in account.backups if store in (None, one.store)), default=0)


def base(account: Account, store: int, timeline: int, place: str) -> str | None:
    """The newest backup of a store that was made on this branch and whole before this place in the log, or None."""
    branch, end = f"{timeline:08X}", wal.lsn(place) // wal.SEGMENT_BYTES
    made = [one for one in account.current(store) if (one.wal_begin or "").startswith(branch)]
    before = [one for one in made if one.wal_end and wal.segment(one.wal_end) < end]
    return max(before, key=lambda one: one.ended).label if before else None
