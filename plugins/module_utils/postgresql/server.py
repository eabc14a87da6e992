# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's files, processes and unit on this host, in Debian's layout. The decisions are in cluster.py."""

from __future__ import annotations

import glob
import os
import pwd
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import (
    ABSENT,
    BROKEN,
    PRIMARY,
    READY,
    STANDBY,
    UNKNOWN,
    Instance,
    Pending,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.settings import differs
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

ARGUMENTS = {
    "version": {"type": "str"},
    "port": {"type": "int", "default": 5432},
    "manager": {"type": "str", "choices": ["systemd", "patroni"], "default": "systemd"},
}
"""Which server on the host is meant, as every module takes it (documented in doc_fragments/postgresql_server.py)."""
PACKAGED = {"12": "15", "13": "17"}
"""The major version that each release of Debian packages."""
OS_RELEASE = Path("/etc/os-release")
LIBRARY = "/var/lib/postgresql"
KEPT = "kept"
"""How a cluster is called that pg_major_upgrade put aside for the way back."""
READY_WAIT_S = 120
HALT_S = 5
"""How long a lost primary may take to stop in good order, and then to die: nobody waits for Debian's hour."""
BASE_BACKUP = "pg_basebackup"
"""Not the member's name: what a base backup has received may be thrown away, so no commit may count on it."""
STALE_CONFIGURATION = ("postgresql.conf", "pg_hba.conf", "pg_ident.conf", "postgresql.auto.conf")
"""What initdb and a base backup leave in the data directory; the configuration lies in /etc/postgresql."""
RESTARTING = """
SELECT s.name, s.setting, s.unit, s.vartype, current_setting(s.name) AS now
FROM pg_settings s LEFT JOIN pg_file_settings f ON f.name = s.name AND f.seqno =
     (SELECT max(seqno) FROM pg_file_settings WHERE name = s.name)
WHERE s.context = 'postmaster' AND s.name = ANY(%s)
  AND (s.source = 'command line' OR f.sourcefile IS NULL OR f.sourcefile LIKE '%%/estate.conf') ORDER BY 1
"""
"""Settings that only a restart changes; those that a file of the operator's own decides stay out of it."""
PENDING = """
SELECT s.name, current_setting(s.name) AS now, coalesce(f.setting, s.boot_val) AS then
FROM pg_settings s LEFT JOIN pg_file_settings f ON f.name = s.name AND f.seqno =
     (SELECT max(seqno) FROM pg_file_settings WHERE name = s.name)
WHERE s.pending_restart ORDER BY 1
"""


@dataclass(frozen=True)
class Layout:
    """Where Debian keeps a cluster: version "17", name "main"; and who starts its server."""

    given: str | None
    name: str = "main"
    manager: str = "systemd"

    @classmethod
    def of(cls, params: dict[str, Any]) -> Layout:
        """From the options of a module (ARGUMENTS)."""
        return cls(params["version"], manager=params["manager"])

    @property
    def version(self) -> str:
        """The major version, given or the one that this host's distribution packages."""
        return self.given or packaged(OS_RELEASE.read_text(encoding="utf-8"))

    @property
    def directory(self) -> str:
        return f"{LIBRARY}/{self.version}/{self.name}"

    @property
    def staging(self) -> str:
        """Where a cluster is made: only a whole one is renamed into place."""
        return f"{self.directory}.estate-new"

    @property
    def replaced(self) -> str:
        """Where a hopeless standby's directory lies until its successor is in place."""
        return f"{self.directory}.estate-old"

    @property
    def unit(self) -> str:
        program = "postgresql" if self.manager == "systemd" else "patroni"
        return f"{program}@{self.version}-{self.name}.service"

    @property
    def rival(self) -> str:
        """The unit that must not run beside it: Debian's own, where Patroni starts the server."""
        program = "patroni" if self.manager == "systemd" else "postgresql"
        return f"{program}@{self.version}-{self.name}.service"

    def program(self, name: str) -> str:
        return f"/usr/lib/postgresql/{self.version}/bin/{name}"


def packaged(os_release: str) -> str:
    """The major version this release of the distribution has, by its /etc/os-release (its manual: os-release(5))."""
    told = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    version = PACKAGED.get(told.get("VERSION_ID", "")) if told.get("ID") == "debian" else None
    if version is None:
        name = told.get("PRETTY_NAME", "this system")
        raise EstateError(f"which PostgreSQL {name} packages is not known; of Debian {' and '.join(PACKAGED)} it is")
    return version


def read_instance(layout: Layout, name: str) -> Instance:
    """This host's member, running or not. Changes nothing and needs no server."""
    if not os.path.isdir(layout.directory) or not os.listdir(layout.directory):
        # A cluster of another version (the distribution was upgraded) must not be hidden by a new, empty one.
        live, kept = versions_of(), versions_of(KEPT)
        return Instance(name, data=BROKEN if live else ABSENT, aside=bool(kept and not live))
    control = control_data(layout)
    if control is None:
        return Instance(name, data=BROKEN)
    signal = os.path.exists(os.path.join(layout.directory, "standby.signal"))
    if not control:
        return Instance(name, data=UNKNOWN, role=STANDBY if signal else PRIMARY)
    return Instance(
        name,
        data=READY,
        role=STANDBY if signal else PRIMARY,
        running=is_running(layout),
        system_identifier=control["Database system identifier"],
        timeline=max([int(control["Latest checkpoint's TimeLineID"]), *begun_timelines(layout)]),
        state=control["Database cluster state"],
    )


def versions_of(kind: str | None = None) -> list[str]:
    """Versions with a cluster in place, or put aside as `kind`, oldest first."""
    suffix = f".estate-{kind}" if kind else ""
    found = glob.glob(f"{LIBRARY}/*/main{suffix}/global/pg_control")
    return sorted((path.split("/")[-4] for path in found), key=int)


def control_data(layout: Layout) -> dict[str, str] | None:
    """What pg_controldata tells; None for what is no cluster of this version, nothing where the program is not yet."""
    if not os.path.exists(os.path.join(layout.directory, "global", "pg_control")):
        return None
    command = [layout.program("pg_controldata"), "-D", layout.directory]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"LC_ALL": "C"})
    except FileNotFoundError:  # a new system on a data disk that was kept
        return {}
    if done.returncode:
        return None
    return dict(re.findall(r"^([^:]+):\s+(.*)$", done.stdout, re.MULTILINE))


def begun_timelines(layout: Layout) -> list[int]:
    """Timelines with a history file: who died right after a promotion has no checkpoint on the new one yet."""
    names = (os.path.basename(path) for path in glob.glob(f"{layout.directory}/pg_wal/*.history"))
    return [int(name[:8], 16) for name in names]


def primary_settings(control: dict[str, str] | None) -> dict[str, int]:
    """The primary's values of the settings a standby must not undercut, from the standby's control file."""
    found = {}
    for key, value in (control or {}).items():
        name, _space, word = key.partition(" ")
        if word == "setting" and value.isdigit():
            found["max_locks_per_transaction" if name == "max_locks_per_xact" else name] = int(value)
    if "max_prepared_xacts" in found:
        found["max_prepared_transactions"] = found.pop("max_prepared_xacts")
    return found


def is_running(layout: Layout) -> bool:
    """Whether the postmaster named in postmaster.pid lives; after a power cut the number may be another program's."""
    try:
        with open(os.path.join(layout.directory, "postmaster.pid"), encoding="ascii") as handle:
            pid = int(handle.readline())
        return os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(layout.directory)
    except (OSError, ValueError):
        return False


def is_outdated(layout: Layout) -> bool:
    """Whether the program that runs was replaced since it started: only a restart lets the new one serve."""
    try:
        with open(os.path.join(layout.directory, "postmaster.pid"), encoding="ascii") as handle:
            return os.readlink(f"/proc/{int(handle.readline())}/exe").endswith(" (deleted)")
    except (OSError, ValueError):
        return False


def is_active(unit: str) -> bool:
    """Whether a unit runs, starts, or waits to be started again."""
    command = ["systemctl", "is-active", unit]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return said not in ("inactive", "failed", "unknown", "")


def leftovers(layout: Layout) -> tuple[str, ...]:
    """What an interrupted run of ours left beside the data directory."""
    return tuple(path for path in (layout.staging, layout.replaced) if os.path.exists(path))


def wal_space(layout: Layout) -> dict[str, int]:
    """The file system that holds pg_wal, wherever its link leads: bytes free to postgres, and per cent of the whole."""
    found = os.statvfs(os.path.join(layout.directory, "pg_wal"))
    return {
        "wal_free_bytes": found.f_bavail * found.f_frsize,
        "wal_free_percent": 100 * found.f_bavail // found.f_blocks,
    }


def pending(connection: Any) -> tuple[Pending, ...]:
    """Settings that wait for a restart."""
    return tuple(Pending(**found) for found in client.rows(connection, PENDING))


def waiting(connection: Any, wanted: dict[str, str]) -> tuple[Pending, ...]:
    """Settings that wait for a restart, and those that would if the server were to have these."""
    already = pending(connection)
    names = {setting.name for setting in already}
    return already + tuple(
        Pending(found["name"], found["now"], wanted[found["name"]])
        for found in client.rows(connection, RESTARTING, list(wanted))
        if found["name"] not in names and differs(found, wanted[found["name"]])
    )


def initialise(layout: Layout, locale: dict[str, str], lock: int) -> None:
    """A new cluster with data checksums, made beside and renamed into place."""
    initdb(layout, layout.staging, locale, ["--data-checksums"], lock)
    _finish(layout)


def initdb(layout: Layout, directory: str, locale: dict[str, str], options: list[str], lock: int) -> None:
    """A new cluster in a directory of its own."""
    fresh(directory)
    run(
        [
            layout.program("initdb"),
            *("--pgdata", directory, "--username", client.SYSTEM_USER, *options),
            *("--encoding", locale["encoding"], "--locale", locale["ctype"], "--lc-collate", locale["collate"]),
            *("--auth-local", "peer", "--auth-host", "scram-sha-256"),
        ],
        "initdb",
        (lock,),
    )


def clone(layout: Layout, source: str, slot: str | None, passfile: int, lock: int) -> None:
    """A standby from a base backup. `source` is a conninfo without password; `passfile` the descriptor of a pgpass."""
    base_backup(layout, layout.staging, source, ["--slot", slot] if slot else [], passfile=passfile, lock=lock)
    with open(os.path.join(layout.staging, "standby.signal"), "x", encoding="ascii"):
        pass
    own(os.path.join(layout.staging, "standby.signal"))
    _finish(layout)


def base_backup(layout: Layout, directory: str, source: str, options: list[str], *, passfile: int, lock: int) -> None:
    """A copy of the primary's data in a directory of its own."""
    fresh(directory)
    named = f"{source} application_name={BASE_BACKUP} passfile=/proc/self/fd/{passfile}"
    run(
        [
            *(layout.program("pg_basebackup"), "--pgdata", directory, "--dbname", named),
            *("--wal-method", "stream", "--checkpoint", "fast", "--no-password", *options),
        ],
        "pg_basebackup",
        (lock, passfile),
    )


def clean(layout: Layout) -> None:
    """Remove what interrupted runs left."""
    for path in leftovers(layout):
        shutil.rmtree(path)


def systemctl(verb: str, unit: str, *options: str) -> None:
    """Act on the unit; its own words are in the error."""
    run(["systemctl", verb, *options, unit], f"systemctl {verb} {unit}", (), as_user=None)


def halt(layout: Layout) -> None:
    """Stop the server within seconds, by force if it does not go. While a stop is due, systemd starts nothing anew."""
    systemctl("stop", layout.unit, "--no-block")
    if not _ends(layout):
        systemctl("kill", layout.unit, "--signal=KILL")
        if not _ends(layout):
            raise EstateError(f"{layout.unit} does not end, not even by SIGKILL")


def _ends(layout: Layout) -> bool:
    deadline = time.monotonic() + HALT_S
    while is_running(layout) or is_active(layout.unit):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def restart(layout: Layout, port: int) -> None:
    """Restart and wait until it answers."""
    systemctl("restart", layout.unit)
    client.connect(port, wait_s=READY_WAIT_S).close()


def fresh(directory: str) -> None:
    """An empty directory of postgres's, whatever was there."""
    if os.path.exists(directory):
        shutil.rmtree(directory)
    os.makedirs(directory, mode=0o700)
    own(os.path.dirname(directory))
    own(directory)


def strip(directory: str) -> None:
    """Take the configuration out of a new data directory: it lies in /etc/postgresql."""
    for name in STALE_CONFIGURATION:
        path = os.path.join(directory, name)
        if os.path.exists(path):
            os.unlink(path)
    # PostgreSQL insists on its own settings file; it is ours only in being empty.
    path = os.path.join(directory, "postgresql.auto.conf")
    with open(path, "x", encoding="ascii"):
        pass
    os.chmod(path, 0o600)
    own(path)


def _finish(layout: Layout) -> None:
    """Put the whole cluster in place. Whatever was there is kept until the new one is."""
    strip(layout.staging)
    if os.path.isdir(layout.directory) and os.listdir(layout.directory):
        os.rename(layout.directory, layout.replaced)
    os.rename(layout.staging, layout.directory)
    sync(os.path.dirname(layout.directory))
    clean(layout)


def sync(directory: str) -> None:
    """Make sure that what was renamed, made or removed in a directory outlives a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def own(path: str) -> None:
    """Give a path to postgres."""
    account = pwd.getpwnam(client.SYSTEM_USER)
    os.chown(path, account.pw_uid, account.pw_gid)


def run(
    command: list[str],
    what: str,
    descriptors: tuple[int, ...],
    as_user: str | None = client.SYSTEM_USER,
    folder: str = "/",
) -> None:
    """Run a program, as postgres unless told otherwise, with only these descriptors and no environment of ours."""
    account = pwd.getpwnam(as_user) if as_user else None
    identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    surroundings = {"env": {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "HOME": "/"}, "cwd": folder, **identity}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, pass_fds=descriptors, **surroundings
        )
    except OSError as err:
        raise EstateError(f"{what} could not be started: {err}") from err
    if done.returncode:
        raise EstateError(f"{what} failed: {(done.stderr or done.stdout).strip()[-1500:]}", rc=done.returncode)
