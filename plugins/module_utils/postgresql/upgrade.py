# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a member's data directories become when the major version changes, and back. Pure: no I/O, no Ansible.

The directories' names are the state: a version serves from `<version>/main`; what served before it is kept beside as
`main.estate-kept` until the operator ends the upgrade, and what was given up by going back as `main.estate-undone`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import PRIMARY, STANDBY
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, EstateError

FOUND, CHECKED, REHEARSED = "found", "checked", "rehearsed"
PARKED, UPGRADED, ASIDE, BACK, ANALYZED, FINISHED = "parked", "upgraded", "aside", "back", "analyzed", "finished"
SPARE_BYTES = 1024 * 1024 * 1024
REHEARSAL_DAYS = 7


@dataclass(frozen=True)
class Found:
    """What is on this host.

    live: versions with a cluster in place; kept, undone: versions whose cluster was put aside for the one or the other.
    role: by version, primary or standby, of live and kept clusters.
    running: the live server runs; active: its unit runs or is about to; fenced: nothing starts it.
    built: a new cluster of the wanted version is whole, made of the one in place as that is now, and not yet in place.
    boots: versions that start at boot; retired: those that were told not to.
    pristine: the server of the wanted version has not run since it was made.
    installed: versions with programs; leftovers: directories of interrupted runs of ours.
    state: the control file's word on the live cluster.
    analyzed: statistics of the new cluster are there; rehearsed: the last rehearsal.
    """

    live: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    role: Mapping[str, str] = field(default_factory=dict)
    running: bool = False
    active: bool = False
    fenced: bool = False
    built: bool = False
    boots: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()
    pristine: bool = False
    installed: frozenset[str] = frozenset()
    leftovers: tuple[str, ...] = ()
    state: str | None = None
    analyzed: bool = False
    rehearsed: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Desired:
    """to: the version that is to serve; automatic: nobody was asked, so nothing the new server took may be lost."""

    state: str
    member: str
    to: str
    automatic: bool = False


def old_version(found: Found, to: str) -> str | None:
    """The version that serves, or served, before `to`."""
    others = sorted({*found.live, *found.kept} - {to}, key=int)
    return others[-1] if others else None


def plan(found: Found, desired: Desired) -> list[Change]:
    """The steps, in order; the data of each Change names it for apply(), with what it is about."""
    if len(found.live) > 1:
        raise EstateError(
            f"{desired.member} has clusters of the versions {' and '.join(found.live)} in place: "
            "move the one away that nobody needs"
        )
    steps = {
        REHEARSED: _rehearse,
        PARKED: _park,
        UPGRADED: _upgrade,
        ASIDE: _aside,
        BACK: _back,
        ANALYZED: _analyze,
        FINISHED: _finish,
    }.get(desired.state)
    return list(steps(found, desired)) if steps else []


def _need(found: Found, desired: Desired) -> str:
    """The version to upgrade from, with the programs of both there."""
    old = old_version(found, desired.to)
    if old is None:
        raise EstateError(f"{desired.member} has no cluster of another version than {desired.to}")
    if int(old) >= int(desired.to):
        raise EstateError(f"to: {desired.member} has {old}, and there is no way down to {desired.to}")
    missing = sorted({old, desired.to} - found.installed)
    if missing:
        raise EstateError(f"{desired.member}: the package postgresql-{missing[0]} is not installed")
    return old


def _rehearse(found: Found, desired: Desired) -> list[Change]:
    old = _need(found, desired)
    if found.live != (old,):
        raise EstateError(f"{desired.member} has {desired.to} in place already: there is nothing to rehearse")
    what = f"rehearsal of {old} to {desired.to}"
    return [Change(what, "run", None, "a copy is upgraded, compared and thrown away", data=("rehearse", old))]


def _stop(found: Found, desired: Desired) -> list[Change]:
    changes = []
    if not found.fenced:
        changes.append(
            Change(f"fence of {desired.member}", "create", None, "the server does not start", data=("fence",))
        )
    if found.running or found.active:
        changes.append(
            Change(f"PostgreSQL {found.live[0]}", "stop", "running", "stopped", data=("stop", found.live[0]))
        )
    return changes


def _park(found: Found, desired: Desired) -> list[Change]:
    """A standby stops once it has all the primary wrote. One that lacks a record would not be a way back."""
    if found.live == (desired.to,) or not found.live:
        return []
    if found.role.get(found.live[0]) != STANDBY:
        raise EstateError(f"{desired.member} is no standby")
    # Once it is fenced it had all of it: a copy of the primary's end is compared before, not what pg_upgrade adds.
    return _stop(found, desired)


def _upgrade(found: Found, desired: Desired) -> list[Change]:
    """The old cluster stays as it is, under another name; the new one is put in place when it is whole."""
    changes = []
    old = _need(found, desired)
    if found.live == (old,):
        if found.role[old] != PRIMARY or found.running or found.active:
            raise EstateError(f"{desired.member} must be a primary that was stopped for this")
        if found.state != "shut down":
            raise EstateError(f"{desired.member} was not stopped in good order ({found.state}): start it once more")
        if not found.built:
            changes.append(
                Change(f"cluster {desired.to}", "create", None, f"pg_upgrade from {old}", data=("build", old))
            )
        changes.append(Change(f"cluster {old}", "update", "in place", "kept for the way back", data=("keep", old)))
    if found.live != (desired.to,):
        changes.append(Change(f"cluster {desired.to}", "update", "beside", "in place", data=("place",)))
    return changes + _settle(found, old, desired.to)


def _aside(found: Found, desired: Desired) -> list[Change]:
    changes = []
    old = _need(found, desired)
    if found.live == (old,):
        if found.role[old] != STANDBY:
            raise EstateError(f"{desired.member} is no standby")
        changes += _stop(found, desired)
        changes.append(Change(f"cluster {old}", "update", "in place", "kept for the way back", data=("keep", old)))
    # The fence goes with it: the standby of the new version is made and started by the playbook data.
    return changes + _settle(found, old, desired.to, fenced=found.fenced or bool(changes))


def _settle(found: Found, retired: str, serves: str, fenced: bool | None = None) -> list[Change]:
    """Which of the two starts at boot, and that it may."""
    changes = []
    if retired in found.boots or serves in found.retired:
        step = ("retire", retired, serves)
        changes.append(Change(f"start of {retired} at boot", "delete", "automatic", f"{serves} only", data=step))
    if found.fenced if fenced is None else fenced:
        changes.append(Change("fence", "delete", "the server does not start", None, data=("unfence",)))
    return changes


def _back(found: Found, desired: Desired) -> list[Change]:
    old = old_version(found, desired.to)
    if old is None:
        raise EstateError(
            f"{desired.member}: nothing is kept of another version than {desired.to}; there is no way back"
        )
    changes = []
    if found.live == (desired.to,):
        if old not in found.kept:
            raise EstateError(f"{desired.member}: the cluster of version {old} is gone; there is no way back")
        if desired.automatic and not found.pristine:
            raise EstateError(
                f"{desired.member}: PostgreSQL {desired.to} has run and may have taken writes, so it stays: run again "
                "to go on, or give up what was written by -e back=true"
            )
        changes += _stop(found, desired)
        changes.append(Change(f"cluster {desired.to}", "update", "in place", "given up", data=("undo",)))
    if old in found.kept:
        changes.append(Change(f"cluster {old}", "update", "kept", "in place", data=("restore", old)))
    fenced = found.fenced or any(change.data == ("fence",) for change in changes)
    return changes + _settle(found, desired.to, old, fenced=fenced)


def _analyze(found: Found, desired: Desired) -> list[Change]:
    # Of a run that was cut short before its start, the playbook data starts it.
    if found.live != (desired.to,) or found.role[desired.to] != PRIMARY or found.analyzed or not found.running:
        return []
    return [Change("statistics of the planner", "create", None, "analyzed in three stages", data=("analyze",))]


def _finish(found: Found, desired: Desired) -> Iterator[Change]:
    """The end: no way back any more."""
    if found.live != (desired.to,) or not found.running:
        raise EstateError(f"{desired.member} does not run {desired.to}: nothing is removed")
    asides = [*((version, "kept") for version in found.kept), *((version, "undone") for version in found.undone)]
    for version, why in asides:
        yield Change(f"cluster {version}", "delete", why, None, data=("remove", version, why))
    if found.leftovers:
        yield Change("leftovers of interrupted runs", "delete", ", ".join(found.leftovers), None, data=("clean",))
    for version in sorted(found.installed - {desired.to}, key=int):
        yield Change(f"packages of PostgreSQL {version}", "delete", "installed", None, data=("purge", version))


@dataclass(frozen=True)
class Situation:
    """What a running cluster says before its upgrade: `extensions` by database, bytes of the data and those free."""

    extensions: Mapping[str, tuple[str, ...]]
    available: frozenset[str]
    prepared: int
    logical_slots: int
    tablespaces: tuple[str, ...]
    data_bytes: int
    free_bytes: int
    clone: bool


def need_bytes(situation: Situation) -> int:
    """What an upgrade writes beside the data, with some room for the log of what goes on meanwhile."""
    return SPARE_BYTES + (situation.data_bytes // 10 if situation.clone else situation.data_bytes * 11 // 10)


def refusals(situation: Situation, to: str) -> list[str]:
    """Why this cluster cannot be upgraded, all reasons at once."""
    reasons = []
    missing = sorted({name for names in situation.extensions.values() for name in names} - situation.available)
    if missing:
        reasons.append(
            f"PostgreSQL {to} lacks the extensions {', '.join(missing)}: install their packages for it, or drop them"
        )
    if situation.prepared:
        reasons.append(f"{situation.prepared} prepared transactions: commit or roll them back")
    if situation.logical_slots:
        reasons.append(f"{situation.logical_slots} logical replication slots: drop them")
    if situation.tablespaces:
        reasons.append(f"tablespaces ({', '.join(situation.tablespaces)}): move their tables into the data directory")
    need = need_bytes(situation)
    if situation.free_bytes < need:
        reasons.append(f"{_mib(situation.free_bytes)} free beside the data, {_mib(need)} needed")
    return reasons


def rehearsal_refusals(
    rehearsals: list[Mapping[str, Any]], old: str, to: str, packages: Mapping[str, str], now: float
) -> list[str]:
    """Why none of the members' rehearsals stands for this upgrade; empty when one does."""
    reasons = ["none was made"]
    for told in rehearsals:
        if (told["from"], told["to"]) != (old, to):
            reasons.append(f"one was of {told['from']} to {told['to']}")
        elif told["packages"] != dict(packages):
            made = ", ".join(f"{name} {version}" for name, version in sorted(told["packages"].items()))
            here = ", ".join(f"{name} {version}" for name, version in sorted(packages.items()))
            reasons.append(f"one was made with {made}; installed here: {here or 'not both'}")
        elif now - told["at"] > REHEARSAL_DAYS * 86400:
            reasons.append(f"one is older than {REHEARSAL_DAYS} days")
        else:
            return []
    return reasons[1:] or reasons


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What a cluster lost or gained by its upgrade: databases, and in each the numbers of what is in it."""
    told = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            told.append(f"database {name} is {'missing' if new is None else 'new'}")
            continue
        told += [
            f"{name}: {key} {old.get(key)} before, {new.get(key)} after"
            for key in sorted({*old, *new})
            if old.get(key) != new.get(key)
        ]
    return told


def _mib(number: int) -> str:
    return f"{number // (1024 * 1024)} MiB"
