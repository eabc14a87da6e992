# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that go on while passwords change: writers in the database, people at the edge, users of Odoo's API."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.retailerp.estate.tests.ledger import TABLE, Program, conninfo

# Runs on the application host as root. Without a password it is a new client each time, one that goes by what the
# running Odoo goes by; with one it is a client that connected once. Says "ack <number> <login>" for each row.
WRITER = """
import configparser, itertools, json, os, sys, time, docker, psycopg
given = json.loads(sys.stdin.readline())
ca = os.memfd_create("ca")
os.write(ca, given["ca"].encode())
engine = docker.APIClient()

def connect():
    user, password = given["user"], given["password"]
    if password is None:
        web = engine.containers(filters={"name": "-odoo-web-"})[0]
        (directory,) = [one["Source"] for one in web["Mounts"] if one["Destination"] == "/etc/odoo"]
        conf = configparser.ConfigParser(interpolation=None)
        conf.read(directory + "/odoo.conf")
        user, password = conf["options"]["db_user"], conf["options"]["db_password"]
    conninfo = given["conninfo"] + f" sslrootcert=/proc/self/fd/{ca}"
    return psycopg.connect(conninfo, user=user, password=password, autocommit=True, prepare_threshold=None)

kept = connect() if given["password"] else None
for number in itertools.count(given["first"]):
    try:
        connection = kept or connect()
        row = connection.execute(f"INSERT INTO {given['table']} VALUES (%s, session_user) RETURNING member", (number,))
        print("ack", number, row.fetchone()[0], flush=True)
        if kept is None:
            connection.close()
    except Exception as err:
        print("error", type(err).__name__, str(err).strip().replace(chr(10), " ")[:300], flush=True)
        time.sleep(0.5)
    time.sleep(0.05)
"""


# pgbench in this program's place: two connections, twenty transactions a second, a line of progress each second.
BENCH = """
import json, os, sys
given = json.loads(sys.stdin.readline())
def file(text):
    made = os.memfd_create("estate-test", 0)
    os.write(made, text.encode())
    return f"/proc/self/fd/{made}"
script = file(f"\\\\set n random(1000000000, 2000000000)\\nINSERT INTO {given['table']} VALUES (:n, 'pgbench');\\n")
os.environ["PGPASSWORD"] = given["password"]
os.dup2(1, 2)
conninfo = f"{given['conninfo']} user={given['user']} sslrootcert={file(given['ca'])}"
words = ["--no-vacuum", "--client=2", "--rate=20", "--time=3600", "--progress=1", f"--file={script}", conninfo]
os.execv(given["program"], ["pgbench", *words])
"""
PGBENCH = "/usr/local/bin/estate-test-pgbench"


def given(lab, user: str | None, password: str | None, port: int) -> dict[str, Any]:
    """What a client on the application host is told: where the members are, and who it is."""
    return {
        "conninfo": f"{conninfo(lab, lab.group('db'), port, 'read-write')} connect_timeout=5",
        "user": user,
        "password": password,
        "ca": lab.secrets()["ca_certificate"],
        "table": TABLE,
    }


class Bench(Program):
    """pgbench on the application host, over connections that it keeps. Its program comes from a database host."""

    def __init__(self, lab, user: str, password: str) -> None:
        self.done, self.errors, self.lab = 0, [], lab
        binary = lab.ssh(lab.group("db")[0], "base64 /usr/lib/postgresql/*/bin/pgbench")
        lab.ssh(lab.group("app")[0], f"base64 -d >{PGBENCH} && chmod 755 {PGBENCH}", stdin=binary)
        super().__init__(lab, BENCH, {**given(lab, user, password, 5432), "program": PGBENCH})

    def told(self, word: str, rest: str) -> None:
        """A second in which transactions went through and none failed. After the first, all else is an error."""
        if word == "progress:" and " 0.0 tps" not in rest and ", 0 failed," in rest:
            self.done += 1
        elif self.done:
            self.errors.append(f"{word} {rest}")

    def stop(self) -> None:
        """End it, and take its program away."""
        self.end()
        self.lab.ssh(self.lab.group("app")[0], f"rm -f {PGBENCH}")


class Writer(Program):
    """A writer on the application host: with `user` and `password` one connection, else a new one for each row.

    port: the servers' own, or their poolers'.
    """

    def __init__(self, lab, first: int, user: str | None = None, password: str | None = None, port: int = 5432) -> None:
        self.acks: list[tuple[int, str]] = []
        self.errors: list[str] = []
        super().__init__(lab, WRITER, {**given(lab, user, password, port), "first": first}, "sudo -n ")

    def told(self, word: str, rest: str) -> None:
        """A row with the login that wrote it, or an error."""
        if word == "ack":
            number, login = rest.split()
            self.acks.append((int(number), login))
        else:
            self.errors.append(rest)

    def logins(self) -> list[str]:
        """By which login it wrote, in the order of time."""
        return [login for login, _group in itertools.groupby(login for _number, login in self.acks)]

    def refused(self) -> bool:
        """Whether it ended by itself without a row, as it does when it cannot connect the first time."""
        return self._process.wait(timeout=60) != 0 and not self.acks

    def stop(self) -> None:
        """End it; what it was promised is in `acks`."""
        self.end()


class Stream:
    """One request after another, each with its own moment; `ask` raises when one fails."""

    def __init__(self, ask: Callable[[], None], pause: float) -> None:
        self.done, self.errors = 0, []
        self._ask, self._pause, self._over = ask, pause, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._ask()
                self.done += 1
            except Exception as err:  # noqa: BLE001  # whatever a client meets is a failed request
                self.errors.append(f"{time.strftime('%H:%M:%S')} {type(err).__name__}: {err}"[:300])
            self._over.wait(self._pause)

    def stop(self) -> None:
        """Wait for the last request."""
        self._over.set()
        self._thread.join(timeout=60)
