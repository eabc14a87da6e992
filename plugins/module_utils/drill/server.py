# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database server that comes and goes: restored by pgBackRest to a place in the log, reached by a socket alone.

Options are those of pgBackRest 2.44 and later (pgbackrest.org/command.html#command-restore) and of PostgreSQL 15 to 17.
"""

from __future__ import annotations

import os

from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import backup, backup_client
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

USER = "estate-keeper"
"""Who reads the stores on the keeper; the restored cluster is its own."""
CONFIGURATION = "/etc/estate/backup-keeper"
PORT = 5432
START_S = 1800
ASK_EVERY_S = 5


def _pgbackrest(stanza: str) -> backup_client.Client:
    return backup_client.Client(stanza, (), USER, CONFIGURATION)


class Server:
    """One restored cluster below a directory of its own."""

    def __init__(self, root: str, system: System | None = None) -> None:
        """root: an empty directory that goes with it."""
        self._data, self.socket, self._log = f"{root}/data", f"{root}/socket", f"{root}/server.log"
        self._configuration, self._hba = f"{root}/server.conf", f"{root}/hba.conf"
        self._dump, self._system = f"{root}/dump", system or System()

    def make(self) -> None:
        """Directories for cluster and socket."""
        uid, gid = self._system.uid(USER), self._system.gid(USER)
        if uid is None or gid is None:
            raise EstateError("this host makes no backups; points are restored on the keeper; run playbook backups")
        for path in (self._data, self.socket, self._dump):
            self._system.make_directory(path, uid, gid, 0o700)
        # A drill's container comes to the socket as its own user, and no one else's gets below the directory.
        os.chmod(self.socket, 0o711)

    def restore(self, stanza: str, lsn: str, timeline: int, timeout_s: float, store: int | None = None) -> None:
        """Lay the cluster down and say how far its log is to be replayed, and on which branch.

        store: the only one that is read, for the log, too; without it pgBackRest turns to the next where one fails.
        """
        # To the keeper the members are other hosts; what is restored is here.
        own = ["--reset-pg1-host", f"--pg1-path={self._data}", *([f"--repo={store}"] if store else [])]
        pgbackrest = _pgbackrest(stanza)
        fetch = " ".join([*pgbackrest.words, *own, "archive-get", "%f", '"%p"'])
        options = [*own, f"--recovery-option=restore_command={fetch}", "--type=lsn", f"--target={lsn}"]
        # On a backup's own branch no history is read, which a store that came later than the branch does not have.
        base = backup.base(pgbackrest.told(), store, timeline, lsn) if store else None
        options += [f"--set={base}", "--target-timeline=current"] if base else [f"--target-timeline={timeline}"]
        options += ["--target-action=promote", "--archive-mode=off"]
        code, out, err = pgbackrest.call("restore", *options, timeout_s=timeout_s)
        if code:
            raise EstateError(f"the database could not be restored: {backup_client.complaint(out, err)}")

    def await_log(self, stanza: str, segment: str, patience_s: float, store: int | None = None) -> None:
        """Wait until that store, or any, has this segment of the log: a new point is ahead of the archive."""
        for _time in range(int(patience_s // ASK_EVERY_S)):
            held = _pgbackrest(stanza).told().archives.items()
            # Names of segments are ordered as the log is, later branches after earlier ones.
            last = [one["last"] or "" for number, archives in held if store in (None, number) for one in archives]
            if max(last, default="") >= segment:
                return
            self._system.pause(ASK_EVERY_S)
        who = f"store {store} does not have" if store else "no store has"
        raise EstateError(f"{who} the point's segment of the log, {segment}, after {patience_s:g} s")

    def size(self, stanza: str) -> int:
        """Bytes of the largest database that a store's backups would restore."""
        return backup.largest(_pgbackrest(stanza).told())

    def start(self) -> None:
        """Start it, and wait until the log is replayed and it takes writes."""
        conf = [
            f"data_directory = '{self._data}'",
            f"hba_file = '{self._hba}'",
            f"unix_socket_directories = '{self.socket}'",
            "unix_socket_permissions = 0777",
            "listen_addresses = ''",
            # Replay asks for as much as the primary had only where it can be read meanwhile.
            "hot_standby = off",
            "shared_buffers = 128MB",
            "ssl = off",
            "archive_mode = off",
            "fsync = off",
        ]
        uid, gid = self._system.uid(USER), self._system.gid(USER)
        self._system.write(self._configuration, ("\n".join(conf) + "\n").encode(), uid, gid, 0o600)
        # Whoever reaches the socket is let in: its directory is the door, and passwords may have changed since.
        self._system.write(self._hba, b"local all all trust\n", uid, gid, 0o600)
        # The directory above is root's.
        self._system.write(self._log, b"", uid, gid, 0o600)
        words = [self._program("pg_ctl"), "-D", self._data, "-l", self._log, "-w", "-t", str(START_S)]
        told = f"the restored database does not start; see {self._log}"
        self._as_keeper([*words, "-o", f"-c config_file={self._configuration}", "start"], told, START_S + 60)
        # Without hot standby pg_ctl takes a server for started that has yet to replay its log.
        while self._system.run([self._program("pg_isready"), "-q", "-h", self.socket])[0] != 0:
            if not os.path.exists(f"{self._data}/postmaster.pid"):
                raise EstateError(f"the log could not be replayed to the point{self._tail()}")
            self._system.pause(1)

    def dump(self, database: str, user: str, timeout_s: float) -> str:
        """Write one database into a file, as its application sees it; the file's path.

        Not as the superuser: what came along in the database acts as nobody who could write beside it.
        """
        path = f"{self._dump}/database.dump"
        words = [self._program("pg_dump"), f"--host={self.socket}", f"--port={PORT}", f"--username={user}"]
        words += ["--no-password", "--format=custom", "--no-owner", "--no-privileges", f"--file={path}", database]
        self._as_keeper(words, "the copy could not be written", timeout_s)
        return path

    def listed(self, path: str) -> str:
        """The table of contents of such a file."""
        return self._as_keeper([self._program("pg_restore"), "--list", path], "the copy could not be read", 600)

    def stop(self) -> None:
        """Stop it at once; it is thrown away."""
        if os.path.exists(f"{self._data}/postmaster.pid"):
            self._as_keeper([self._program("pg_ctl"), "-D", self._data, "-m", "immediate", "stop"], "server", 120)

    def _program(self, name: str) -> str:
        try:
            with open(f"{self._data}/PG_VERSION", encoding="utf-8") as file:
                return f"/usr/lib/postgresql/{file.read().strip()}/bin/{name}"
        except FileNotFoundError:
            raise EstateError(f"{self._data} holds no cluster") from None

    def _as_keeper(self, words: list[str], what: str, timeout_s: float) -> str:
        code, out, err = self._system.run(["runuser", "-u", USER, "--", *words], None, timeout_s)
        if code != 0:
            log = self._tail()
            raise EstateError(
                f"{what} ({words[0]} ended with {code}): {' '.join((err.strip() or out.strip()).split())[-500:]}{log}"
            )
        return out

    def _tail(self) -> str:
        try:
            with open(self._log, encoding="utf-8", errors="replace") as file:
                return " | " + " | ".join(file.read().splitlines()[-5:])
        except OSError:
            return ""
