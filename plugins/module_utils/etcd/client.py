# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What touches a voter: its data directory, its unit, and etcdctl with the voter's certificate."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.etcd.plan import Member, Seen, Wanted
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, EstateError

UNIT = "etcd.service"
DATA = "/var/lib/etcd/default"
ADMISSION = "/var/lib/retailerp-estate/etcd.admission"
#: A member that hangs answers nothing; three seconds are many elections.
TIMEOUT_S = 3
#: What a voter's modules have in common.
ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "members": {"type": "dict", "required": True},
    "client_port": {"type": "int", "default": 2379},
    "peer_port": {"type": "int", "default": 2380},
    "tls_directory": {"type": "path", "default": "/etc/estate/tls/etcd"},
}


def _members(answer: dict) -> tuple:
    """The members in an answer of etcdctl."""
    return tuple(
        Member(f"{member['ID']:x}", member.get("name", ""), (member.get("peerURLs") or [""])[0])
        for member in answer.get("members", ())
    )


class Client:
    """One voter and the cluster as seen from it."""

    def __init__(self, system: Any, wanted: Wanted, client_port: int, tls_directory: str) -> None:
        self.wanted = wanted
        self._system = system
        self._port = client_port
        self._tls = tls_directory

    # What is there

    def seen(self) -> Seen:
        """This host, the members as a majority lists them, and who is healthy."""
        return Seen(
            data=self.has_data(),
            leftover=self._system.exists(f"{DATA}/member"),
            running=self._system.unit(UNIT).state in ("active", "activating", "reloading"),
            admission=self._admission(),
            members=self.members(),
            healthy=frozenset(map(self.wanted.url, self.healthy())),
        )

    def has_data(self) -> bool:
        """Whether there is a log: etcd makes it whole, by a rename."""
        return self._system.exists(f"{DATA}/member/wal")

    def voted(self) -> bool:
        """Whether this voter was ever part of a cluster with a leader: the first thing a leader writes is the version.

        A voter of a new cluster has a log as soon as it starts, and this when a majority has started.
        """
        database = f"{DATA}/member/snap/db"
        unknown = not self._system.exists(database)
        return self.has_data() and (unknown or b"clusterVersion" in self._system.read(database))

    def running(self) -> bool:
        """Whether the unit runs."""
        return self._system.unit(UNIT).running

    def members(self) -> Any:
        """The members, by a majority's word; None when there is none."""
        answer = self._ctl("member", "list")
        if not isinstance(answer, dict):
            return None
        return _members(answer)

    def healthy(self) -> set:
        """Names of the planned voters that are part of a majority."""
        names = {self._endpoint(name): name for name in self.wanted.members}
        return {names[row["endpoint"]] for row in self._ctl("endpoint", "health") or () if row.get("health")}

    def statuses(self) -> dict:
        """Each planned voter: whether it is healthy, and, when it answers, its leader, sizes and errors."""
        healthy = self.healthy()
        found: dict = {name: {"healthy": name in healthy} for name in self.wanted.members}
        names = {self._endpoint(name): name for name in found}
        for row in self._ctl("endpoint", "status") or ():
            status = row.get("Status", {})
            found[names[row["Endpoint"]]].update(
                id=f"{status['header']['member_id']:x}",
                version=status.get("version", ""),
                leader=f"{status.get('leader', 0):x}",
                db_bytes=status.get("dbSize", 0),
                errors=list(status.get("errors") or ()),
            )
        return found

    def _admission(self) -> str:
        if not self._system.exists(ADMISSION):
            return ""
        first = self._system.read(ADMISSION).decode().partition("\n")[0]
        return first.rpartition(" ")[2]

    def _endpoint(self, name: str) -> str:
        return f"https://{self.wanted.members[name]}:{self._port}"

    def _ctl(self, *arguments: str) -> Any:
        """What etcdctl answers, or None. Part of an answer counts: a member that does not answer is missing in it."""
        _code, out, _err = self._run(*arguments)
        try:
            return json.loads(out)
        except ValueError:
            return None

    def _run(self, *arguments: str) -> tuple:
        files = {"cacert": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
        return self._system.run(
            [
                "etcdctl",
                "--endpoints=" + ",".join(self._endpoint(name) for name in self.wanted.members),
                *(f"--{option}={self._tls}/{file}" for option, file in files.items()),
                f"--dial-timeout={TIMEOUT_S}s",
                f"--command-timeout={TIMEOUT_S}s",
                "--write-out=json",
                *arguments,
            ],
            timeout_s=10 * TIMEOUT_S,
        )

    # What changes it

    def apply(self, change: Change) -> None:
        """One change of plan.plan."""
        what, subject = change.data
        if what == "stop":
            self._must(*self._system.run(["systemctl", "stop", UNIT]), "stop etcd")
        elif what == "aside":
            self._system.rename(DATA, f"{DATA}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        elif what == "remove":
            self._must(*self._again("member", "remove", subject.id), f"remove {subject.name or subject.url}")
        elif what == "admit":
            self._admit(subject)

    def _admit(self, kind: str) -> None:
        """Let the next start, and no other, make the data directory."""
        wanted, ident = self.wanted, "new"
        initial = {name: wanted.url(name) for name in wanted.members}
        if kind != "new":
            code, out, err = self._again("member", "add", wanted.name, f"--peer-urls={wanted.url(wanted.name)}")
            self._must(code, out, err, f"add {wanted.name}")
            answer = json.loads(out)
            ident = f"{answer['member']['ID']:x}"
            # The one without a name is this one: the playbook takes one voter at a time.
            initial = {member.name or wanted.name: member.url for member in _members(answer)}
        lines = [
            f"# Ansible: good for one start of etcd, as {ident}",
            "ETCD_INITIAL_CLUSTER=" + ",".join(f"{name}={url}" for name, url in sorted(initial.items())),
            f"ETCD_INITIAL_CLUSTER_STATE={'new' if kind == 'new' else 'existing'}",
        ]
        self._system.make_private(ADMISSION.rpartition("/")[0])
        self._system.write(ADMISSION, ("\n".join(lines) + "\n").encode(), 0, 0, 0o600)

    def _again(self, *arguments: str) -> tuple:
        """etcd refuses a change of members for some seconds after the one before; that is worth waiting for."""
        for _try in range(10):
            code, out, err = self._run(*arguments)
            if code == 0 or not ("unhealthy cluster" in err or "re-configuration failed" in err or "too many" in err):
                break
            self._system.pause(2)
        return code, out, err

    @staticmethod
    def _must(code: int, out: str, err: str, what: str) -> None:
        if code != 0:
            raise EstateError(f"could not {what}: {(err or out).strip()[-400:]}")
