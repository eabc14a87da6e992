# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the shape of PostgreSQL and of the voters that Patroni needs."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem, in_tier

_LEAST_VOTERS = 3


def of_etcd(spec: dict, hosts: list) -> Iterator:
    """Patroni has an odd number of voters and somebody to fail over to; the streaming shape has no voters."""
    postgresql = spec.get("postgresql", {})
    shape, voters = postgresql.get("shape"), in_tier(hosts, "etcd")
    if shape == "streaming" and voters:
        yield Problem(
            "groups.etcd",
            f"holds {_names(voters)}, but nothing votes with estate_spec.postgresql.shape: streaming; write "
            "patroni, or empty the group",
        )
    if shape == "streaming" and postgresql.get("rto") == "fast":
        yield Problem(
            "estate_spec.postgresql.rto",
            "is fast, but an operator moves a streaming primary; leave it out, or write shape: patroni",
        )
    if shape == "patroni":
        yield from _voters(voters)
        if postgresql.get("pooler", "none") != "none":
            yield Problem(
                "estate_spec.postgresql.pooler",
                f"is {postgresql['pooler']}, but a pooler goes up and down with Debian's unit, not yet with Patroni's "
                "server; write none, or write shape: streaming",
            )
        if len(in_tier(hosts, "db")) < 2:
            yield Problem(
                "estate_spec.postgresql.shape",
                "is patroni, but group db holds less than two hosts: there is nothing to fail over to; add one, or "
                "write streaming",
            )


def _voters(voters: list) -> Iterator:
    count = len(voters)
    if count < _LEAST_VOTERS:
        held = f"holds {_names(voters)} alone" if voters else "is absent or empty"
        yield Problem(
            "groups.etcd",
            f"{held}; Patroni needs three voters, so that two are left when one is lost: the database hosts and a "
            "witness, any other host, which holds no data",
        )
    elif count % 2 == 0:
        yield Problem(
            "groups.etcd",
            f"holds {count} hosts ({_names(voters)}); {count} voters survive the loss of {count // 2 - 1}, as "
            f"{count - 1} do, and a cut in the middle leaves no majority: take one out, or add one as witness",
        )


def _names(hosts: list) -> str:
    return ", ".join(host.name for host in hosts)
