# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer that keeps a ledger outside the database: what PostgreSQL acknowledged must be there afterwards.

It runs on the application host and connects as Odoo does: to whichever of all members takes writes, TLS verified.
"""

from __future__ import annotations

import itertools
import json
import shlex
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

# Says "ack <member> <number>" for each row PostgreSQL acknowledged; whatever fails, it connects anew.
WRITER = """
import itertools, json, os, sys, time, psycopg
given = json.loads(sys.stdin.readline())
ca = os.memfd_create("ca")
os.write(ca, given["ca"].encode())
conninfo = given["conninfo"] + f" sslrootcert=/proc/self/fd/{ca}"
numbers, connection = itertools.count(given["first"]), None
while True:
    number = next(numbers)
    try:
        if connection is None or connection.closed:
            connection = psycopg.connect(conninfo, password=given["password"], autocommit=True, prepare_threshold=None)
            address = connection.execute("SELECT host(inet_server_addr())").fetchone()[0]
            member = given["members"][address]
        connection.execute(f"INSERT INTO {given['table']} VALUES (%s, %s)", (number, member))
        print("ack", member, number, flush=True)
    except psycopg.Error as err:
        print("error", type(err).__name__, str(err).strip().replace(chr(10), " ")[:200], flush=True)
        if connection is not None:
            connection.close()
        connection = None
        time.sleep(0.05)
    time.sleep(given["pause"])
"""
TABLE = "estate_ledger"


def conninfo(lab, hosts: list[str], port: int, session: str) -> str:
    """How a client on the application host reaches the one of these members that takes this kind of session."""
    addresses = [lab.hosts[host]["ansible_host"] for host in hosts]
    return (
        f"host={','.join(hosts)} hostaddr={','.join(addresses)} port={port} dbname={lab.spec()['id']} "
        f"sslmode=verify-full target_session_attrs={session}"
    )


@dataclass
class Ledger:
    """Acknowledged rows as (seconds, member, number), refusals as (seconds, words); in the order in which they came."""

    acks: list[tuple[float, str, int]] = field(default_factory=list)
    errors: list[tuple[float, str]] = field(default_factory=list)

    def longest_gap(self) -> float:
        """Seconds for which nothing was acknowledged, at most."""
        times = [at for at, _member, _number in self.acks]
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=float("inf"))

    def longest_refusal(self) -> float:
        """Seconds from a row that was acknowledged to the last refusal before the next one, at most."""
        times = [at for at, _member, _number in self.acks]
        return max(
            (
                max((at for at, _words in self.errors if earlier < at < later), default=earlier) - earlier
                for earlier, later in itertools.pairwise(times)
            ),
            default=float("inf"),
        )

    def first(self, member: str) -> float | None:
        """When this member acknowledged for the first time."""
        return next((at for at, who, _number in self.acks if who == member), None)

    def members(self) -> list[str]:
        """Who acknowledged, in the order of time; one that does so again after another is named again."""
        return [member for member, _group in itertools.groupby(member for _at, member, _number in self.acks)]


class Program:
    """A Python program on the application host: `given` is its first line of input; it says something line by line."""

    def __init__(self, lab, source: str, given: dict, prefix: str = "") -> None:
        ssh = ["ssh", "-F", str(Path(lab.root) / ".lab/ssh_config"), lab.group("app")[0]]
        self._process = subprocess.Popen(
            # The end of the SSH connection is the program's: its next line finds nobody to read it.
            [*ssh, f"exec {prefix}python3 -c {shlex.quote(source)}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._process.stdin.write(json.dumps(given) + "\n")
        self._process.stdin.flush()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            word, _space, rest = line.strip().partition(" ")
            self.told(word, rest)

    def told(self, word: str, rest: str) -> None:
        """A line of the program: its first word, and the rest."""
        raise NotImplementedError

    def end(self) -> None:
        """Kill it; every line it has said is told."""
        self._process.kill()
        self._reader.join(timeout=10)


def spells(*ledgers: Ledger) -> list[str]:
    """Who took writes, one after the other: a member that is named again took writes while another one did."""
    acks = sorted(ack for ledger in ledgers for ack in ledger.acks)
    return [member for member, _group in itertools.groupby(member for _at, member, _number in acks)]


class Writer(Program):
    """One writer on the application host; `hosts` are the members it may connect to (all: as Odoo does).

    port: the members' own, or their poolers'. intruder: it writes wherever it can, seldom, and its commits wait for
    nobody; so a second primary is seen even where no standby confirms what it writes. Nobody was promised its rows.
    """

    def __init__(self, lab, hosts: list[str], first: int = 1, *, intruder: bool = False, port: int = 5432) -> None:
        addresses = [lab.hosts[host]["ansible_host"] for host in hosts]
        secrets = lab.secrets()
        session, pause = ("any", 0.1) if intruder else ("read-write", 0.01)
        options = "options='-c synchronous_commit=local' " if intruder else ""
        given = {
            "conninfo": f"{conninfo(lab, hosts, port, session)} user={lab.spec()['id']}_application connect_timeout=2 "
            f"{options}keepalives_idle=2 keepalives_interval=1 keepalives_count=2 tcp_user_timeout=3000",
            "password": secrets["postgresql_application"],
            "ca": secrets["ca_certificate"],
            "table": TABLE,
            "members": dict(zip(addresses, hosts)),
            "first": first,
            "pause": pause,
        }
        self.ledger = Ledger()
        super().__init__(lab, WRITER, given)

    def told(self, word: str, rest: str) -> None:
        """Into the ledger."""
        if word == "ack":
            member, number = rest.split()
            self.ledger.acks.append((time.monotonic(), member, int(number)))
        else:
            self.ledger.errors.append((time.monotonic(), rest))

    def acknowledged(self) -> int:
        """How many rows until now."""
        return len(self.ledger.acks)

    def stop(self) -> Ledger:
        """End it; the ledger is whole."""
        self.end()
        return self.ledger
