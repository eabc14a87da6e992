# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told to a Patroni cluster, and what it is held to. Pure: no I/O, no Ansible.

States, roles and keys are those of Patroni's REST API (patroni.readthedocs.io/en/latest/rest_api.html).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

LEADER = "leader"
SYNCHRONOUS = ("sync_standby", "quorum_standby")
"""Roles of a standby that commits wait for: the one, or any one of them."""
UP = ("running", "streaming")
"""States of a member that serves: Patroni 3 calls a standby running, Patroni 4 streaming."""
COPYING = "creating replica"


@dataclass(frozen=True)
class Member:
    """One member as the cluster sees it. lag: bytes behind the leader, None where unknown or the leader itself."""

    name: str
    role: str
    state: str
    timeline: int | None = None
    lag: int | None = None
    pending_restart: bool = False

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Member:
        """From an entry of `members` in the answer to GET /cluster."""
        lag = told.get("lag")
        return cls(
            told["name"],
            told["role"],
            told["state"],
            told.get("timeline"),
            lag if isinstance(lag, int) else None,
            bool(told.get("pending_restart")),
        )

    def describe(self) -> str:
        """For an operator."""
        return f"{self.name} ({self.role}, {self.state}, timeline {self.timeline})"


@dataclass(frozen=True)
class Current:
    """The cluster as one member's Patroni sees it; `settings` is its dynamic configuration, None without one.

    answering: Patroni answers on this host. isolated: it sees no majority of the voters; failsafe mode may keep a
    leader. watchdog: the host has a watchdog device.
    """

    answering: bool
    members: tuple[Member, ...] = ()
    settings: Mapping[str, Any] | None = None
    isolated: bool = False
    paused: bool = False
    watchdog: bool = False

    @property
    def leader(self) -> Member | None:
        """Who holds the leader key."""
        return next((member for member in self.members if member.role == LEADER), None)

    @property
    def waited_for(self) -> list[str]:
        """The standbys that commits wait for, all of them or any one."""
        return [member.name for member in self.members if member.role in SYNCHRONOUS]

    def member(self, name: str) -> Member | None:
        """A member by its name."""
        return next((member for member in self.members if member.name == name), None)


@dataclass(frozen=True)
class Desired:
    """settings: the whole dynamic configuration, or None to leave it. state: settled, leader or cloned."""

    name: str
    settings: Mapping[str, Any] | None = None
    state: str = "settled"


def settled(current: Current, name: str) -> bool:
    """Whether this member serves, and somebody leads."""
    own = current.member(name)
    return bool(own and own.state in UP and current.leader)


def uncounted(current: Current) -> list[str]:
    """The members that neither lead nor have commits wait for them; without a leader all."""
    return sorted(member.name for member in current.members if member.role not in (LEADER, *SYNCHRONOUS))


def may_restart(current: Current, name: str) -> bool:
    """Whether this standby may be away for a moment: somebody leads, and commits can wait for all the others.

    Raises EstateError for a leader, whose restart would refuse writes or lose it its place.
    """
    leader = current.leader
    if leader and leader.name == name:
        raise EstateError(f"{name} leads the cluster by now, and only a standby is restarted: run again from the start")
    return leader is not None and current.member(name) is not None and set(uncounted(current)) <= {name}


def counted(current: Current, name: str) -> bool:
    """Whether this standby is back: it serves, and commits wait for it."""
    return settled(current, name) and name in current.waited_for


def plan(current: Current, desired: Desired) -> list[Change]:
    """The steps, in order; the data of each Change names it for apply()."""
    if not current.answering:
        raise EstateError(f"Patroni does not answer on {desired.name}: see journalctl -u 'patroni@*'")
    changes = []
    if desired.settings is not None and current.settings != desired.settings:
        before = text(current.settings) if current.settings else None
        action = "update" if current.settings else "create"
        changes.append(Change("settings of the cluster", action, before, text(desired.settings), data="configure"))
    if desired.state == "leader":
        changes += _lead(current, desired.name)
    if desired.state == "cloned":
        changes += _clone(current, desired.name)
    return changes


def text(settings: Mapping[str, Any]) -> str:
    """Settings for people, a line each."""
    return json.dumps(settings, indent=2, sort_keys=True) + "\n"


def _lead(current: Current, name: str) -> list[Change]:
    leader, own = current.leader, current.member(name)
    if leader is None:
        raise EstateError(
            "nobody leads, and Patroni promotes a standby by itself once it is known to have every commit: bring "
            "voters and members back; what promoting one by hand may cost, roles/postgresql/README.md says"
        )
    if leader.name == name:
        return []
    if current.paused:
        raise EstateError("the cluster is paused (patronictl pause): resume it first")
    if own is None:
        raise EstateError(f"{name} is no member of the cluster; run the playbook data")
    if own.state not in UP:
        raise EstateError(f"{own.describe()} does not follow {leader.name}; only a standby that does may take over")
    waited_for = current.waited_for
    if waited_for and name not in waited_for:
        raise EstateError(
            f"commits wait for {', '.join(waited_for)}, not for {name}, which may lack some: "
            f"choose -e target={waited_for[0]}"
        )
    return [Change("leader of the cluster", "update", leader.name, name, data="lead")]


def _clone(current: Current, name: str) -> list[Change]:
    leader, own = current.leader, current.member(name)
    if leader is None:
        raise EstateError("the cluster has no leader to copy")
    if leader.name == name:
        raise EstateError(f"{name} leads the cluster; only a standby is copied anew")
    return [Change("data directory", "update", own.describe() if own else None, f"copy of {leader.name}", data="clone")]


def controls(current: Current, name: str, members: tuple[str, ...], desired: Mapping[str, Any]) -> list[Control]:
    """What the cluster is held to, as seen from this member. `members` are all there should be."""
    title = f"Patroni answers on {name}"
    if not current.answering:
        return [Control("patroni.answers", title, "fail", False, True, "see journalctl -u 'patroni@*'")]
    own, leader = current.member(name), current.leader
    states = {member.name: member.state for member in current.members if member.state not in UP}
    waiting = [member.name for member in current.members if member.pending_restart]
    seen = sorted(member.name for member in current.members)
    found = [
        Control.check("patroni.answers", title, True, True),
        Control.check("patroni.voters", f"{name} sees a majority of the voters", not current.isolated, True),
        Control.check("patroni.paused", "Failover is automatic", current.paused, False, "patronictl resume"),
        Control.check("patroni.members", "All members and no others are in the cluster", seen, sorted(members)),
        Control.check("patroni.states", "Every member serves", states, {}),
        Control.check(
            "patroni.timeline",
            f"{name} is on the leader's timeline",
            own.timeline if own else None,
            leader.timeline if leader else "that of a leader",
        ),
        Control.check(
            "patroni.restart",
            "No member waits for a restart",
            waiting,
            [],
            "run the data playbook: it restarts members in the right order",
        ),
        Control.check(
            "patroni.settings", "The cluster's settings are the plan's", text(current.settings or {}), text(desired)
        ),
        _watchdog(current),
    ]
    if len(members) > 1:
        holds = bool(current.waited_for)
        found.append(
            Control(
                "patroni.synchronous",
                "A commit waits for a standby",
                "pass" if holds else "fail",
                current.waited_for,
                "at least one standby",
                "" if holds else "bring a standby back: without one a failover is not automatic",
            )
        )
    return found


def _watchdog(current: Current) -> Control:
    """A member whose Patroni hangs is reset by it; without, the leader key's time and the standby's silence fence."""
    title = "A watchdog resets a leader whose Patroni hangs"
    if current.watchdog:
        return Control("patroni.watchdog", title, "pass", True, True)
    return Control("patroni.watchdog", title, "exempt", False, True, "the host has no /dev/watchdog")
