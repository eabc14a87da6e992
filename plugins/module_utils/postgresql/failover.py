# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a standby may be promoted, and what that would cost. Pure: no I/O, no Ansible.

Two questions, each answered by proof or by a refusal: can anything else still take writes, and has the standby all that
was acknowledged. The second is answered by the old primary's own disk, or, with durability `strict`, by all standbys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import (
    ABSENT,
    PRIMARY,
    READY,
    STANDBY,
    UNKNOWN,
    Instance,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.replication import LAG_BYTES
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.wal import lsn

STRICT, AVAILABLE = "strict", "available"
#: The option `failover` of postgresql_replication.
ARGUMENTS = {
    "found": {"type": "list", "elements": "dict", "default": []},
    "fences": {"type": "dict", "default": {}},
    "accept_data_loss": {"type": "str"},
}


@dataclass(frozen=True)
class Seen:
    """A member as it was read.

    position: how far a running standby has received the log; synchronous: it runs with the settings of strict, and has
    the primary's proof that strict was in force on the present timeline. waits_for: the names in its own
    synchronous_standby_names, as the last run of data wrote them.
    """

    instance: Instance
    position: str | None = None
    synchronous: bool = False
    waits_for: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fence:
    """Why a member cannot take writes (proof, for an operator), and where the log on its disk ends, if that was read,
    on which timeline.

    pending: it is only foreseen, and will let the disk be read.
    """

    proof: str
    log_end: str | None = None
    timeline: int | None = None
    pending: bool = False


@dataclass(frozen=True)
class Situation:
    """All that is known. members: the others, unseen ones too; fences: by member; durability: the estate's choice."""

    target: Seen
    members: tuple[Seen, ...]
    fences: Mapping[str, Fence] = field(default_factory=dict)
    durability: str = AVAILABLE


def situation(
    own: Mapping[str, Any],
    found: Sequence[Mapping[str, Any]],
    others: Sequence[str],
    fences: Mapping[str, Mapping[str, Any]],
    durability: str,
) -> Situation:
    """From what postgresql_replication_info returned for this member (own) and for the others that were reached."""
    known = {info["instance"]["name"]: info for info in found}
    return Situation(
        target=_seen(own),
        members=tuple(_seen(known.get(name) or {"instance": {"name": name}}) for name in others),
        fences={
            name: Fence(fence["proof"], fence.get("log_end"), fence.get("timeline"), fence.get("pending", False))
            for name, fence in fences.items()
        },
        durability=durability,
    )


def _seen(info: Mapping[str, Any]) -> Seen:
    status = info.get("status") or {}
    instance = Instance.of(info["instance"]["name"], dict(info["instance"]))
    proven = status.get("proven_timeline") is not None and status["proven_timeline"] == instance.timeline
    waits_for = names(status.get("synchronous_standby_names") or "")
    # What undoes strict makes its proof void.
    kept = proven and bool(waits_for) and not status.get("shortfalls")
    return Seen(instance, status.get("position"), kept, waits_for)


def names(setting: str) -> frozenset[str]:
    """Whom synchronous_standby_names names: "ANY 1 (db1, db3)", "2 (db1)" or plainly "db1, db3"."""
    listed = setting.partition("(")[2].rpartition(")")[0] if "(" in setting else setting
    return frozenset(name.strip(' "') for name in listed.split(",") if name.strip(' "'))


def refusals(situation: Situation, accept_data_loss: str | None = None, foreseen: bool = False) -> list[str]:
    """Every reason not to promote, each with what to do; none when it is safe or its price was named.

    foreseen: the fences are not there yet, so the target may go on receiving beyond the position that was named.
    """
    target = situation.target
    name = target.instance.name
    if not _is_standby(target):
        return [f"{target.instance.describe()} is no running standby: only one that runs can be promoted"]
    found = [reason for seen in situation.members if (reason := _in_the_way(seen, target, situation.fences))]
    if found:
        return found
    doubts = incomplete(situation)
    to_come = foreseen and accept_data_loss is not None and lsn(accept_data_loss) <= lsn(target.position or "0/0")
    if accept_data_loss is not None and accept_data_loss != target.position and not to_come:
        return [f"accept_data_loss is {accept_data_loss}, but {name} has received up to {target.position}: name that"]
    if doubts and accept_data_loss is None:
        return [
            f"{doubts}. Start the old primary again if that can be done: then nothing is lost. Otherwise whatever "
            f"{name} lacks is, which has received up to {target.position}; if that is to be, run again with "
            f"-e accept_data_loss={target.position}"
        ]
    return []


def incomplete(situation: Situation) -> str | None:
    """Why it is not proven that the target has every acknowledged write; None when it is."""
    target, name = situation.target, situation.target.instance.name
    unseen = _unseen(situation)
    fences = [situation.fences[one] for one in unseen if one in situation.fences]
    forked, beyond = None, []
    if unseen and len(fences) == len(unseen) and all(fence.log_end or fence.pending for fence in fences):
        ends = [fence.log_end for fence in fences if fence.log_end]
        beyond = [end for end in ends if lsn(end) > lsn(target.position or "0/0")]
        # On another timeline the same position is another place.
        apart = {fence.timeline for fence in fences} - {None, target.instance.timeline}
        if not beyond and not apart:
            return None
        if apart:
            theirs = " and ".join(f"timeline {timeline}" for timeline in sorted(apart))
            forked = f"{name} is on timeline {target.instance.timeline}, the log of the old primary ends on {theirs}"
        if situation.durability != STRICT:
            return (
                forked
                or f"the log of the old primary goes on to {max(beyond, key=lsn)}, beyond what {name} has received"
            )
    if situation.durability != STRICT:
        return f"durability is {situation.durability}: the old primary did not wait for {name}"
    ahead = max((lsn(end) for end in beyond), default=0) - lsn(target.position or "0/0")
    if not forked and ahead > LAG_BYTES:
        return (
            f"the log of the old primary goes on for {ahead} bytes beyond what {name} has received: more than commits "
            "that wait leave behind, so they may not have waited"
        )
    if not target.synchronous:
        return (
            forked
            or f"{name} has no proof that the old primary waited for it: strict was not in force since its promotion"
        )
    # One of all standbys has each acknowledged write: to know which one is furthest, every one must have been seen. One
    # that was not is the old primary; a second is a standby that it may have waited for.
    if len(unseen) > 1:
        return f"each acknowledged write is on one standby at least, but {' and '.join(unseen)} were not seen to run"
    return None


def _unseen(situation: Situation) -> list[str]:
    """Who is not seen to run as a standby, of the estate's file and of those that a commit could have waited for.

    One that was taken out of the inventory since the last run of data is in the second list only.
    """
    target = situation.target
    known = {seen.instance.name for seen in situation.members} | target.waits_for
    standbys = {seen.instance.name for seen in situation.members if _is_standby(seen)}
    return sorted(known - standbys - {target.instance.name})


def _in_the_way(seen: Seen, target: Seen, fences: Mapping[str, Fence]) -> str | None:
    other, name = seen.instance, target.instance.name
    if other.data == ABSENT or other.name in fences:
        return None
    if other.data == UNKNOWN:
        return (
            f"{other.name} was not reached, and nothing proves that it takes no writes: bring it back, or name it in "
            f"-e lost and let postgresql_fence_command switch it off"
        )
    if other.data != READY or other.role == PRIMARY:
        hint = "use the playbook switchover" if other.running else "it must be fenced first"
        return f"{other.describe()} is there; {hint}"
    if other.system_identifier != target.instance.system_identifier:
        return f"{other.describe()} and {target.instance.describe()} are different clusters"
    if (other.timeline or 0) > (target.instance.timeline or 0):
        return f"{other.describe()} is on a later timeline than {name}: promote that one (-e target={other.name})"
    if not other.running:
        return f"{other.describe()} is a standby that does not run, and may have more than {name}: start it"
    if _reach(seen) > _reach(target):
        return f"{other.name} has received up to {seen.position}, {name} only {target.position}: -e target={other.name}"
    return None


def _is_standby(seen: Seen) -> bool:
    return seen.instance.data == READY and seen.instance.role == STANDBY and seen.instance.running


def _reach(seen: Seen) -> tuple[int, int]:
    return (seen.instance.timeline or 0, lsn(seen.position or "0/0"))
