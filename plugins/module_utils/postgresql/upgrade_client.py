# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes the major version on this host: directories, pg_upgrade, private servers. upgrade.py decides."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host.system import STATE
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client, server
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import PRIMARY, STANDBY
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

SOCKET = "/run/postgresql/estate-upgrade"
"""For postgres alone: nobody else reaches a cluster that is not in place."""
PORT = 50432
STAMP = f"{STATE}/postgresql-upgrade.json"
REHEARSAL = f"{STATE}/postgresql-rehearsal.json"
WHOLE = "estate-upgraded"
"""In a new data directory: pg_upgrade and the comparison are through. Holds the old cluster's last checkpoint then."""
STARTED_S = 600
FICLONE = 0x40049409
UNDONE = "undone"
PRIVATE = """# Ansible: for the time of an upgrade, on a socket that only postgres reaches.
{settings}
data_directory = '{directory}'
hba_file = '{folder}/pg_hba.conf'
ident_file = '{folder}/pg_ident.conf'
external_pid_file = ''
listen_addresses = ''
unix_socket_directories = '{folder}'
cluster_name = ''
ssl = off
shared_buffers = 128MB
synchronous_standby_names = ''
"""
INVENTORY = """
SELECT 'relations of kind ' || relkind::text AS key, count(*)::bigint AS n FROM pg_class WHERE relnamespace IN ({own})
  GROUP BY relkind
UNION ALL SELECT 'invalid indexes', count(*) FROM pg_index WHERE NOT indisvalid
UNION ALL SELECT 'functions', count(*) FROM pg_proc WHERE pronamespace IN ({own})
UNION ALL SELECT 'constraints', count(*) FROM pg_constraint WHERE connamespace IN ({own}) AND contype <> 'n'
UNION ALL SELECT 'triggers', count(*) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'roles', count(*) FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'
""".replace(
    "{own}",
    "SELECT oid FROM pg_namespace WHERE nspname NOT IN ('pg_catalog', 'information_schema') "
    "AND nspname NOT LIKE 'pg\\_t%'",
)
TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_t%'
"""


def aside(layout: server.Layout, kind: str) -> str:
    """Where a cluster lies that was put aside."""
    return f"{layout.directory}.estate-{kind}"


def role_in(directory: str) -> str:
    """The role of a data directory, wherever it lies."""
    return STANDBY if os.path.exists(f"{directory}/standby.signal") else PRIMARY


def installed() -> frozenset[str]:
    """Versions with a server's programs."""
    return frozenset(path.split("/")[-3] for path in glob.glob("/usr/lib/postgresql/*/bin/postgres"))


def move(source: str, target: str) -> None:
    """Rename a data directory so that a power cut does not undo it."""
    if os.path.exists(target):
        shutil.rmtree(target)
    os.rename(source, target)
    server.sync(os.path.dirname(target))


def _start_conf(version: str) -> str:
    return f"/etc/postgresql/{version}/main/start.conf"


def boots(version: str) -> bool:
    """Whether the version's server is started at boot."""
    return os.path.isdir(os.path.dirname(_start_conf(version))) and not retired(version)


def retired(version: str) -> bool:
    """Whether the version's server was told not to start at boot."""
    with contextlib.suppress(FileNotFoundError), open(_start_conf(version), encoding="ascii") as file:
        return "manual" in file.read().split()
    return False


def retire(old: str, serves: str) -> None:
    """Let one version start at boot and the other one not."""
    if os.path.isdir(os.path.dirname(_start_conf(old))):
        with open(_start_conf(old), "w", encoding="ascii") as file:
            file.write("# Ansible: another version serves; a boot does not start this one.\nmanual\n")
        server.own(_start_conf(old))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_start_conf(serves))
    server.run(["systemctl", "daemon-reload"], "systemctl daemon-reload", (), as_user=None)
    # What failed while its data was elsewhere is not tried again and again.
    server.run(["systemctl", "stop", server.Layout(old).unit], "systemctl stop", (), as_user=None)


def is_made_of(directory: str, checkpoint: str | None) -> bool:
    """Whether a new cluster is whole, and what it was made of has written nothing since that checkpoint."""
    with contextlib.suppress(FileNotFoundError), open(f"{directory}/{WHOLE}", encoding="ascii") as file:
        return file.read() == checkpoint
    return False


def mark(directory: str, checkpoint: str) -> None:
    """Say that a new cluster is whole, and of what it was made."""
    path = f"{directory}/{WHOLE}"
    with open(path, "w", encoding="ascii") as file:
        file.write(checkpoint)
        file.flush()
        os.fsync(file.fileno())
    server.own(path)
    server.sync(os.path.dirname(path))


def read_note(path: str) -> dict[str, Any]:
    """What a run noted; empty without."""
    with contextlib.suppress(FileNotFoundError, ValueError), open(path, encoding="utf-8") as file:
        return json.load(file)
    return {}


def note(path: str, told: dict[str, Any]) -> None:
    """Note something for later runs."""
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(told, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{path}.new", path)
    server.sync(STATE)


def forget(path: str) -> None:
    """Take a note away."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def size_of(directory: str) -> int:
    """Bytes on disk below a directory; files that come and go meanwhile do not matter."""
    total = 0
    for place, _folders, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(f"{place}/{name}").st_blocks * 512
    return total


def free_bytes() -> int:
    """Bytes free to postgres where the data directories lie."""
    found = os.statvfs(server.LIBRARY)
    return found.f_bavail * found.f_frsize


def can_clone() -> bool:
    """Whether the file system shares what two files have in common: then a copy takes no time and no room."""
    paths = [f"{server.LIBRARY}/.estate-clone-{side}" for side in "ab"]
    try:
        with open(paths[0], "wb") as source, open(paths[1], "wb") as target:
            source.write(b"x" * 4096)
            source.flush()
            fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
        return True
    except OSError:
        return False
    finally:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def extensions_for(version: str) -> frozenset[str]:
    """Extensions that a version's programs bring."""
    found = glob.glob(f"/usr/share/postgresql/{version}/extension/*.control")
    return frozenset(os.path.basename(path)[: -len(".control")] for path in found)


def ask(port: int, socket: str = client.SOCKET_DIRECTORY) -> dict[str, Any]:
    """What a server says of itself that an upgrade must know, with the extensions of each database."""
    with client.connect(port, socket=socket) as connection:
        row = client.row(
            connection,
            """SELECT (SELECT count(*) FROM pg_prepared_xacts)::int AS prepared,
            (SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'logical')::int AS logical_slots,
            ARRAY(SELECT spcname::text FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global'))
              AS tablespaces,
            current_setting('shared_preload_libraries') AS libraries""",
        )
    extensions = {}
    for name in databases(port, socket):
        with client.connect(port, name, socket=socket) as connection:
            extensions[name] = tuple(
                found["extname"] for found in client.rows(connection, "SELECT extname::text FROM pg_extension")
            )
    return {**row, "extensions": extensions}


def databases(port: int, socket: str) -> list[str]:
    """Databases that let somebody in."""
    with client.connect(port, socket=socket) as connection:
        query = "SELECT datname::text AS name FROM pg_database WHERE datallowconn ORDER BY 1"
        return [found["name"] for found in client.rows(connection, query)]


def inventory(with_rows: bool) -> dict[str, dict[str, int]]:
    """By database, how much there is of everything, on the private socket; with_rows counts every table's rows."""
    found = {}
    for name in databases(PORT, SOCKET):
        with client.connect(PORT, name, socket=SOCKET) as connection:
            counts = {row["key"]: row["n"] for row in client.rows(connection, INVENTORY)}
            if with_rows:
                tables = [row["name"] for row in client.rows(connection, TABLES)]
                counts["rows"] = sum(
                    client.row(connection, f"SELECT count(*) AS n FROM {each}")["n"] for each in tables
                )
        found[name] = counts
    return found


def update_extensions() -> list[str]:
    """Bring extensions to the version's own; what was changed, for the operator."""
    told = []
    query = """SELECT e.extname::text AS name, e.extversion AS before, a.default_version AS after,
      quote_ident(e.extname) AS quoted
    FROM pg_extension e JOIN pg_available_extensions a ON a.name = e.extname WHERE e.extversion <> a.default_version"""
    for database in databases(PORT, SOCKET):
        with client.connect(PORT, database, socket=SOCKET) as connection:
            for row in client.rows(connection, query):
                client.execute(connection, f"ALTER EXTENSION {row['quoted']} UPDATE", f"extension {row['name']}")
                told.append(f"{database}: {row['name']} {row['before']} to {row['after']}")
    return told


def like(layout: server.Layout) -> str:
    """Settings of a cluster that is in place. Some stand in its log: a standby with smaller ones would not go on."""
    return f"include '/etc/postgresql/{layout.version}/{layout.name}/postgresql.conf'"


def loading(libraries: str) -> str:
    """Settings of a new cluster, which no standby follows."""
    return f"shared_preload_libraries = '{libraries}'\nmax_locks_per_transaction = 512"


def prepare(directory: str, settings: str) -> str:
    """The private folder, with a configuration for the cluster in `directory`; its path."""
    server.fresh(SOCKET)
    path = f"{SOCKET}/postgresql.conf"
    texts = {
        path: PRIVATE.format(directory=directory, folder=SOCKET, settings=settings),
        f"{SOCKET}/pg_hba.conf": "local all postgres peer\n",
        f"{SOCKET}/pg_ident.conf": "",
    }
    for name, text in texts.items():
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
        server.own(name)
    return path


@contextlib.contextmanager
def serving(layout: server.Layout, directory: str, settings: str) -> Iterator[None]:
    """A server on the private socket for a while, stopped in good order afterwards."""
    configuration = prepare(directory, settings)
    control = [layout.program("pg_ctl"), "--pgdata", directory, "--wait", "--timeout", str(STARTED_S)]
    log = f"{SOCKET}/server.log"
    options = f"-c config_file={configuration} -p {PORT}"
    try:
        try:
            server.run([*control, "--log", log, "--options", options, "start"], f"PostgreSQL {layout.version}", ())
        except EstateError as err:
            raise EstateError(f"{err}: {_tail(log)}") from err
        yield
    finally:
        if os.path.exists(f"{directory}/postmaster.pid"):
            server.run([*control, "--mode", "fast", "stop"], f"stop of PostgreSQL {layout.version}", ())
        shutil.rmtree(SOCKET, ignore_errors=True)


def end_leftover(layout: server.Layout, directory: str) -> None:
    """A server of a killed run, on a directory that is not in place, ends."""
    if os.path.exists(f"{directory}/postmaster.pid"):
        with contextlib.suppress(EstateError):
            server.run([layout.program("pg_ctl"), "--pgdata", directory, "--mode", "immediate", "stop"], "pg_ctl", ())


def pg_upgrade(
    old: server.Layout, new: server.Layout, source: str, target: str, *, libraries: str, clone: bool, lock: int
) -> None:
    """Make `target` from `source`, which stays as it is. Both stopped; the new one was made by initdb."""
    configuration = prepare(source, like(old))
    command = [
        *(new.program("pg_upgrade"), "--old-bindir", os.path.dirname(old.program(""))),
        *("--new-bindir", os.path.dirname(new.program(""))),
        *("--old-datadir", source, "--new-datadir", target, "--username", client.SYSTEM_USER),
        *("--socketdir", SOCKET, "--old-port", str(PORT), "--new-port", str(PORT + 1)),
        *("--jobs", str(os.cpu_count() or 1), "--old-options", f"-c config_file={configuration}"),
        *("--new-options", f"-c max_locks_per_transaction=512 -c shared_preload_libraries='{libraries}'"),
    ]
    try:
        server.run([*command, "--check"], "pg_upgrade --check", (lock,), folder=SOCKET)
        server.run([*command, *(["--clone"] if clone else [])], "pg_upgrade", (lock,), folder=SOCKET)
    finally:
        shutil.rmtree(SOCKET, ignore_errors=True)


def initdb_options(control: dict[str, str], version: str) -> list[str]:
    """What a new cluster of this version must have in common with the old one, from its control file."""
    # Checksums are the default from 18 on, and the word against them is known since then.
    without = ["--no-data-checksums"] if int(version) >= 18 else []
    sums = without if control["Data page checksum version"] == "0" else ["--data-checksums"]
    return [*sums, f"--wal-segsize={int(control['Bytes per WAL segment']) // (1024 * 1024)}"]


def analyze(layout: server.Layout, port: int, lock: int) -> None:
    """Statistics for all tables: rough ones within seconds, then better ones, while everybody works."""
    # Nobody's standby is waited for, and a large table takes as long as it takes.
    options = "-c synchronous_commit=local -c statement_timeout=0"
    conninfo = f"host={client.SOCKET_DIRECTORY} port={port} dbname=postgres options='{options}'"
    command = [layout.program("vacuumdb"), "--all", "--analyze-in-stages", "--maintenance-db", conninfo]
    server.run([*command, "--no-password"], "vacuumdb", (lock,))


def _tail(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return " ".join(file.read().split())[-600:]
    return ""
