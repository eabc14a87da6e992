# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database hosts of a lab: what is asked of them, and what is done to them."""

from __future__ import annotations

import contextlib
import json
import subprocess

from ansible_collections.retailerp.estate.tests.ledger import TABLE

VERSION = "$(ls /usr/lib/postgresql)"
DATA = f"/var/lib/postgresql/{VERSION}/main"
#: How many files of the log the archive has yet to take.
WAITING = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"


class Members:
    """All database hosts. `durability` is what the estate's file says in every play."""

    def __init__(self, lab, waiting):
        self.lab, self.waiting, self.names = lab, waiting, lab.group("db")
        self.confirm = f"confirm={lab.spec()['id']}"
        self.durability = "strict"

    def sql(self, host, statement, check=True):
        """What a statement prints in the estate's database, as the superuser."""
        return self.lab.sql(host, statement, check=check)

    def primary(self):
        """The one that takes writes."""
        return self.lab.primary()

    def spec(self):
        """Extra variables: the estate's file with this durability."""
        spec = self.lab.spec()
        wanted = {"durability": self.durability, **({"standby": "optional"} if len(self.names) == 1 else {})}
        return json.dumps({"estate_spec": {**spec, "postgresql": {**spec.get("postgresql", {}), **wanted}}})

    def play(self, name, *extra, check=True):
        """A playbook by that file, with these extra variables, or options."""
        values = [self.spec(), *extra]
        flags = [word for value in values for word in ([value] if value.startswith("--") else ["-e", value])]
        return self.lab.playbook(name, *flags, check=check)

    def rows(self, host):
        """The numbers that are in the database."""
        return {int(line) for line in self.sql(host, f"SELECT number FROM {TABLE}").split()}

    def power(self, verb, host):
        """The power switch of a host of the lab: kill, start, stop, pause, unpause."""
        subprocess.run(["docker", verb, f"estate-lab-{host}"], check=True, capture_output=True, timeout=120)


class Pair(Members):
    """Two database hosts, the one streaming from the other."""

    def standby(self, primary=None):
        """The one that is not primary."""
        primary = primary or self.primary()
        (found,) = [host for host in self.names if host != primary]
        return found

    def streams(self, primary, standby):
        """Whether the standby streams, and every commit waits for it."""
        query = (
            f"SELECT sync_state FROM pg_stat_replication WHERE application_name = '{standby}' AND state = 'streaming'"
        )
        return self.sql(primary, query, check=False) == "quorum"

    def rejoin(self, host):
        """Bring a lost primary back by the documented step: it is told to where its last write had reached nobody."""
        back = self.play("rejoin", f"member={host}", check=False)
        if "which the primary never had" in back.output:
            back = self.play("rejoin", f"member={host}", "method=rewind", self.confirm)
        assert back.code == 0, back.output[-3000:]

    def healthy(self, primary):
        """Wait until the other member streams synchronously; nothing is left to do then."""
        standby = self.standby(primary)
        self.waiting(f"{standby} streams from {primary}", lambda: self.streams(primary, standby))
        assert self.play("data").changed_tasks() == [], "the roles follow the cluster, nobody moves them back"


def cut(lab, host, peer, *directions):
    """Drop packets between a host and an address: `in` what comes from it, `out` what goes there."""
    address = lab.hosts[peer]["ansible_host"]
    rules = {"in": f"input ip saddr {address}", "out": f"output ip daddr {address}"}
    for direction in directions:
        hook, _space, match = rules[direction].partition(" ")
        chain = f"add chain inet cut {direction} {{ type filter hook {hook} priority -300; }}"
        program = f"add table inet cut; {chain}; add rule inet cut {direction} {match} drop"
        lab.ssh(host, f"nft '{program}'")


@contextlib.contextmanager
def small_disk(lab, host, unit):
    """A host writes its log to a small disk of its own meanwhile: this machine's own is too large to fill."""
    small = (
        f"systemctl stop {unit} && cd {DATA} && cp -a pg_wal pg_wal.kept && size=$(($(du -sm pg_wal | cut -f1) + 320)) "
        "&& mount -t tmpfs -o size=${size}m,uid=postgres,gid=postgres,mode=700 tmpfs pg_wal "
        "&& cp -a pg_wal.kept/. pg_wal/"
    )
    lab.ssh(host, f"{small}; systemctl start {unit}")
    try:
        yield
    finally:
        back = "umount pg_wal && rm -rf pg_wal && mv pg_wal.now pg_wal && rm -rf pg_wal.kept"
        lab.ssh(
            host,
            f"systemctl stop {unit}; cd {DATA} && rm -f pg_wal/filler && cp -a pg_wal pg_wal.now && {back}; "
            f"systemctl start {unit}",
        )


def fill(members, host, primary):
    """Fill that disk, and have the primary write more than is left of it."""
    members.lab.ssh(host, f"cat /dev/zero > {DATA}/pg_wal/filler; true", check=False)
    for _segment in range(12):
        members.sql(
            primary,
            "SELECT pg_logical_emit_message(false, 'estate', repeat('x', 1000000)), pg_switch_wal()",
            check=False,
        )
