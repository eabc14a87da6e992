# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs beside a voter: where PostgreSQL's primary is, etcd is led from another host.

A new leader of etcd gives every lease its whole time again (Lessor.Promote in etcd's server/lease/lessor.go). So if one
host led both and were lost, PostgreSQL's next primary would wait for Patroni's whole ttl from the election on.

usage: yield_leadership.py URL KEYS NAME TLS: this voter's client URL, what Patroni's keys begin with, this host's name
in both, and the directory of this voter's certificate
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import time
import urllib.request

EVERY_S = 5
ANSWER_S = 2


class Voters:
    """etcd's JSON gateway (etcd.io/docs/v3.5/dev-guide/api_grpc_gateway), asked with this voter's certificate."""

    def __init__(self, url: str, tls: str) -> None:
        self.url = url
        self._context = ssl.create_default_context(cafile=f"{tls}/ca.pem")
        self._context.load_cert_chain(f"{tls}/cert.pem", f"{tls}/key.pem")

    def ask(self, what: str, question: dict, url: str = "") -> dict:
        """The answer of this voter, or of the one at the URL; OSError or ValueError when there is none."""
        request = urllib.request.Request(f"{url or self.url}/v3/{what}", json.dumps(question).encode())
        with urllib.request.urlopen(request, timeout=ANSWER_S, context=self._context) as answer:
            return json.load(answer)

    def values(self, first: str, end: str = "") -> dict[str, str]:
        """The key, or all keys from the first one to before the end, with their values."""
        question = {"key": _coded(first), **({"range_end": _coded(end)} if end else {})}
        found = self.ask("kv/range", question).get("kvs", [])
        return {_decoded(row["key"]): _decoded(row.get("value", "")) for row in found}


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def hand_over(voters: Voters, keys: str, name: str) -> str | None:
    """Give leadership away if this host leads and has the primary: the new leader's name.

    A voter without data comes first: it never has the primary.
    """
    status = voters.ask("maintenance/status", {})
    own = status["header"]["member_id"]
    if status.get("leader") != own or list(voters.values(f"{keys}/leader").values()) != [name]:
        return None
    members = f"{keys}/members/"
    with_data = {key[len(members) :] for key in voters.values(members, members[:-1] + "0")}
    others = [one for one in voters.ask("cluster/member/list", {})["members"] if one["ID"] != own]
    for one in sorted(others, key=lambda one: (one.get("name") in with_data, one.get("name", ""))):
        try:
            if voters.ask("maintenance/status", {}, one["clientURLs"][0]).get("leader") != own:
                continue
            voters.ask("maintenance/transfer-leadership", {"targetID": one["ID"]})
        except (OSError, KeyError):
            # It has not started, or does not answer: not a leader.
            continue
        return one["name"]
    return None


def main(url: str, keys: str, name: str, tls: str) -> None:
    """Look every few seconds, until told to end."""
    while True:
        try:
            # The certificate may be another one than the last time.
            leader = hand_over(Voters(url, tls), keys, name)
        except (OSError, ValueError, KeyError):
            # Without an answer nothing leads here. That the voter is ill is for others to say.
            leader = None
        if leader:
            print(f"PostgreSQL's primary is on {name}: {leader} leads etcd now", flush=True)
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
