# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Membership of an etcd cluster, worked out on one voter at a time. Pure: no I/O, no Ansible.

A voter starts in one of two ways only: with the data it has, or admitted. Admission to a new cluster is given while no
voter has data. Afterwards a voter without data is a new member, even under its old name: with its data it lost the
votes it had cast, and a member that forgot them could vote twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, EstateError


@dataclass(frozen=True)
class Wanted:
    """The plan's side. members: address of each voter by name, this one included.

    found: what was read on each voter's host when the run began: name → whether it ever voted, see Client.voted.
    """

    name: str
    members: Mapping[str, str]
    peer_port: int
    found: Mapping[str, bool] = field(default_factory=dict)

    def url(self, name: str) -> str:
        """Where other voters reach this one."""
        return f"https://{self.members[name]}:{self.peer_port}"


@dataclass(frozen=True)
class Member:
    """One member as the cluster lists it. The name is empty until it has started once."""

    id: str
    name: str
    url: str


@dataclass(frozen=True)
class Seen:
    """What this host and the cluster say.

    data: whether there is a log; leftover: whether there is anything in the data directory; admission: the id of the
    member it is for, "new" for a new cluster, "" for none. members: None when no majority answered; healthy: URLs of
    voters that are.
    """

    data: bool = False
    leftover: bool = False
    running: bool = False
    admission: str = ""
    members: Any = None
    healthy: frozenset = frozenset()


def plan(wanted: Wanted, seen: Seen) -> list[Change]:
    """The changes that make this voter a member and members that were taken out of the plan none; or a refusal."""
    if seen.members is None or (not seen.data and _being_made(wanted, seen)):
        return _without_majority(wanted, seen)
    planned = {wanted.url(name): name for name in wanted.members}
    url = wanted.url(wanted.name)
    own = next((member for member in seen.members if member.url == url), None)
    leaving = [member for member in seen.members if member.url not in planned]
    # A member that has its data, or was admitted and has not started yet, goes on.
    if own and (seen.data or own.id == seen.admission):
        lost, admit = [], []
    else:
        lost, admit = [own] if own else [], _admit(seen, f"member of {', '.join(sorted(wanted.members))}")
    # Out before in: a lost member counts towards the majority until it is removed.
    changes = [_remove(member, "is not in the plan") for member in leaving]
    changes += [_remove(member, "has lost its data") for member in lost]
    changes += admit
    if leaving or admit:
        _majority_stays(seen, [*leaving, *lost], planned)
    return changes


def _being_made(wanted: Wanted, seen: Seen) -> bool:
    """Whether the cluster that answers was made in this run: the last voters find the first ones there."""
    nobody_voted = set(wanted.found) >= set(wanted.members) and not any(wanted.found.values())
    return nobody_voted and {member.url for member in seen.members} == {wanted.url(name) for name in wanted.members}


def _without_majority(wanted: Wanted, seen: Seen) -> list[Change]:
    if seen.data:
        return []
    others = sorted(name for name in wanted.members if name != wanted.name)
    unknown = [name for name in others if name not in wanted.found]
    voted = [name for name in others if wanted.found.get(name)]
    if unknown:
        raise EstateError(
            f"{wanted.name} has no data, no majority of etcd answers, and nobody looked at {', '.join(unknown)}: "
            "whether this is a new cluster cannot be known; run without a limit"
        )
    # A voter that was started for a new cluster, by a run that was cut short, waits for the others and has not voted.
    if voted:
        raise EstateError(
            f"{wanted.name} has no data and no majority of etcd answers, but {', '.join(voted)} {_verb(voted)} data. "
            f"{wanted.name} can come back only once a majority runs: start etcd there (journalctl -u etcd says what "
            "keeps it); see the README of the role etcd for what to do when it is lost for good"
        )
    if seen.admission == "new":
        return []
    return _admit(seen, f"new cluster of {', '.join(sorted(wanted.members))}", "new")


def _admit(seen: Seen, what: str, kind: str = "member") -> list[Change]:
    changes = []
    if seen.running:
        changes.append(Change("unit etcd.service", "stop", "running without its data", "stopped", data=("stop", None)))
    if seen.leftover:
        where = "directory /var/lib/etcd/default"
        changes.append(Change(where, "move", "data of no member", "set aside beside it", data=("aside", None)))
    return [*changes, Change("admission to etcd", "create", None, what, data=("admit", kind))]


def _remove(member: Member, why: str) -> Change:
    name = member.name or member.url
    return Change(f"etcd member {name}", "delete", f"{member.url}, which {why}", None, data=("remove", member))


def _majority_stays(seen: Seen, going: list, planned: Mapping[str, str]) -> None:
    """Refuse unless a majority of those that stay is healthy. That the present one is, the answer itself shows."""
    staying = [member for member in seen.members if member not in going]
    ill = sorted(planned[member.url] for member in staying if member.url not in seen.healthy)
    alive, needed = len(staying) - len(ill), majority(len(staying))
    if alive < needed:
        raise EstateError(
            f"membership of etcd does not change without a majority: {alive} of {len(staying)} members are healthy, "
            f"{needed} are needed; not healthy: {', '.join(ill)}"
        )


def majority(count: int) -> int:
    """How many of so many are more than half."""
    return count // 2 + 1


def may_wait(wanted: Wanted, seen: Seen) -> bool:
    """Whether this member can become healthy by its own start: with it, those that are healthy are a majority."""
    others = len(seen.healthy - {wanted.url(wanted.name)})
    return others + 1 >= majority(max(len(wanted.members), len(seen.members or ())))


def _verb(names: list) -> str:
    return "has" if len(names) == 1 else "have"
