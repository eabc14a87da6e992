# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of an etcd cluster, judged on what its voters say. Pure: no I/O, no Ansible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.etcd.plan import Wanted
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control

SPACE_PERCENT = 75


def controls(wanted: Wanted, members: Any, statuses: Mapping[str, Mapping], quota_mb: int) -> list[Control]:
    """Members as planned, all healthy, one leader, nothing full. members: None when no majority answers."""
    planned = {wanted.url(name): name for name in wanted.members}
    listed = sorted(planned.get(member.url, f"{member.name} ({member.url})") for member in members or ())
    ids = {status["id"]: name for name, status in statuses.items() if status.get("id")}
    leaders = sorted({ids.get(status["leader"], "nobody") for status in statuses.values() if status.get("leader")})
    one = len(leaders) == 1 and leaders != ["nobody"]
    errors = sorted(f"{name}: {error}" for name, status in statuses.items() for error in status.get("errors", ()))
    full = quota_mb * 1024 * 1024 * SPACE_PERCENT // 100
    return [
        Control.check(
            "etcd.members",
            "The members are those of the plan",
            listed if members is not None else "no majority answers",
            sorted(wanted.members),
            "run the playbook etcd; it adds and removes one member at a time",
        ),
        Control.check(
            "etcd.health",
            "Every voter takes part",
            sorted(name for name, status in statuses.items() if status["healthy"]),
            sorted(wanted.members),
            "look at journalctl -u etcd on the others; while a majority is left, Patroni goes on",
        ),
        Control(
            "etcd.leader",
            "All agree on one leader",
            "pass" if one else "fail",
            leaders,
            "one voter",
            "" if one else "voters do not reach each other on the peer port, or one is of another cluster",
        ),
        Control.check(
            "etcd.alarms",
            "No voter raises an alarm",
            errors,
            [],
            "NOSPACE: etcdctl defrag, then etcdctl alarm disarm; CORRUPT: set the voter's data aside and run again",
        ),
        Control.check(
            "etcd.space",
            f"No voter's database takes more than {SPACE_PERCENT} % of its quota",
            sorted(name for name, status in statuses.items() if status.get("db_bytes", 0) > full),
            [],
            f"etcdctl defrag; at {quota_mb} MiB etcd takes no more writes",
        ),
    ]
