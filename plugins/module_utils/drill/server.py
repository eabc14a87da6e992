# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database server that comes and goes: restored by pgBackRest to a place in the log, reached by a socket alone.

Two users, one after the other. The keeper reads the stores and replays the log, which runs nothing that is written in
the database. Then the cluster is given to a user that owns nothing else, which serves it without a network: what came
along in a database, its triggers and its programs, meets neither the stores' credentials nor anybody outside.

Options are those of pgBackRest 2.44 and later (pgbackrest.org/command.html#command-restore) and of PostgreSQL 15 to 17.
"""

from __future__ import annotations

import os

from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import backup, backup_client
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

KEEPER = "estate-keeper"
"""Who reads the stores on the keeper, and the log."""
USER = "estate-drill"
"""Who serves what was restored."""
UNIT = "estate-restored.service"
CONFIGURATION = "/etc/estate/backup-keeper"
PORT = 5432
START_S = 1800
STOP_S = 120
ASK_EVERY_S = 5
SANDBOX = {
    "Type": "exec",
    "User": USER,
    "Group": USER,
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "RestrictAddressFamilies": "AF_UNIX",
    "RemoveIPC": "yes",
    # As an immediate stop; whatever else was begun in there goes with it.
    "KillMode": "mixed",
    "KillSignal": "SIGQUIT",
    "TimeoutStopSec": "60",
    # A run that was killed leaves it no longer.
    "RuntimeMaxSec": "86400",
    "Nice": "10",
    "IOSchedulingClass": "idle",
}


def _pgbackrest(stanza: str) -> backup_client.Client:
    return backup_client.Client(stanza, (), KEEPER, CONFIGURATION)


class Server:
    """One restored cluster below a directory of its own."""

    def __init__(self, root: str, system: System | None = None) -> None:
        """root: an empty directory that goes with it."""
        self._root, self._data, self.socket, self._log = root, f"{root}/data", f"{root}/socket", f"{root}/server.log"
        self._configuration, self._hba = f"{root}/server.conf", f"{root}/hba.conf"
        self._dump, self._system = f"{root}/dump", system or System()
        self._recovery: list[str] = []
        self._version = ""

    def make(self, guest: int) -> None:
        """Directories for cluster, socket and dump. guest: number of the group that may come to the socket."""
        keeper, user = self._owner(KEEPER, "backups"), self._owner(USER, "filestore")
        self._system.make_directory(self._data, *keeper, 0o700)
        # It is the door: behind it no password is asked for.
        self._system.make_directory(self.socket, user[0], guest, 0o710)
        self._system.make_directory(self._dump, 0, 0, 0o700)

    def _owner(self, name: str, playbook: str) -> tuple[int, int]:
        uid, gid = self._system.uid(name), self._system.gid(name)
        if uid is None or gid is None:
            raise EstateError(f"this host has no user {name}; points are restored on the keeper: playbook {playbook}")
        return uid, gid

    def restore(self, stanza: str, lsn: str, timeline: int, timeout_s: float, store: int | None = None) -> None:
        """Lay the cluster down and replay its log up to a place, on a branch; then it is no longer the keeper's.

        store: the only one that is read, for the log, too; without it pgBackRest turns to the next where one fails.
        """
        # To the keeper the members are other hosts; what is restored is here.
        own = ["--reset-pg1-host", f"--pg1-path={self._data}", *([f"--repo={store}"] if store else [])]
        pgbackrest = _pgbackrest(stanza)
        # On a backup's own branch no history is read, which a store that came later than the branch does not have.
        base = backup.base(pgbackrest.told(), store, timeline, lsn) if store else None
        branch = "current" if base else str(timeline)
        options = [*own, "--type=lsn", f"--target={lsn}", f"--target-timeline={branch}"]
        options += [f"--set={base}"] if base else []
        code, out, err = pgbackrest.call("restore", *options, timeout_s=timeout_s)
        if code:
            raise EstateError(f"the database could not be restored: {backup_client.complaint(out, err)}")
        # It came with the primary's settings, commands among them; all that holds here is said below.
        self._system.remove(f"{self._data}/postgresql.auto.conf")
        self._recovery = [f"recovery_target_lsn = '{lsn}'", f"recovery_target_timeline = '{branch}'"]
        self._replay(" ".join([*pgbackrest.words, *own, "archive-get", "%f", '"%p"']), timeout_s)
        words = ["chown", "--recursive", "--no-dereference", f"{USER}:{USER}", self._data]
        self._must(words, "the restored cluster could not be handed over", START_S)

    def _replay(self, fetch: str, timeout_s: float) -> None:
        """Run the server until it has come to the place, where it ends by itself. Nobody is let in meanwhile."""
        # Not promote: a server that takes writes begins to run what came along, and here that would be as the keeper.
        self._configure(self._data, [f"restore_command = '{fetch}'", "recovery_target_action = shutdown"])
        self._system.write(self._hba, b"local all all reject\n", 0, 0, 0o644)
        words = [self._program("postgres"), "-D", self._data, "-c", f"config_file={self._configuration}"]
        self._must(["runuser", "-u", KEEPER, "--", *words], "the log could not be replayed to the point", timeout_s)

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

    def start(self, database: str, user: str) -> None:
        """Serve it to the application's role, once the end of the log is replayed again and it takes writes."""
        self._configure(self.socket, ["restore_command = 'false'", "recovery_target_action = promote"])
        # Passwords may have changed since: who reaches the socket is let in, as in the estate. In `postgres` Odoo asks
        # which databases there are, and listens for its bus.
        self._system.write(self._hba, f'local "{database}","postgres" "{user}" trust\n'.encode(), 0, 0, 0o644)
        self._system.write(self._log, b"", 0, 0, 0o600)
        self._halt()
        said = {**SANDBOX, "ReadWritePaths": self._root}
        said |= {f"Standard{stream}": f"append:{self._log}" for stream in ("Output", "Error")}
        words = ["systemd-run", "--quiet", "--collect", f"--unit={UNIT}", "--setenv=LC_ALL=C.UTF-8"]
        words += [f"--property={name}={value}" for name, value in said.items()]
        server = [self._program("postgres"), "-D", self._data, "-c", f"config_file={self._configuration}"]
        self._must([*words, "--", *server], "the restored database does not start", START_S)
        asked = [self._program("pg_isready"), "-q", "-h", self.socket, "-p", str(PORT), "-d", database, "-U", user]
        for _time in range(START_S):
            if self._system.run(asked)[0] == 0:
                return
            if not self._system.unit(UNIT).running:
                raise EstateError(f"the restored database does not start{self._tail()}")
            self._system.pause(1)
        raise EstateError(f"the restored database lets nobody in after {START_S} s{self._tail()}")

    def _configure(self, socket: str, more: list[str]) -> None:
        conf = [
            f"data_directory = '{self._data}'",
            f"hba_file = '{self._hba}'",
            f"unix_socket_directories = '{socket}'",
            "unix_socket_permissions = 0777",
            "listen_addresses = ''",
            f"port = {PORT}",
            # Replay asks for as much as the primary had only where it can be read meanwhile.
            "hot_standby = off",
            "shared_buffers = 128MB",
            "ssl = off",
            "archive_mode = off",
            "fsync = off",
            *self._recovery,
            *more,
        ]
        self._system.write(self._configuration, ("\n".join(conf) + "\n").encode(), 0, 0, 0o644)

    def dump(self, database: str, user: str, timeout_s: float) -> str:
        """Write one database into a file, as its application sees it; the file's path.

        Neither as the superuser nor as root: a file is opened by root where the server's user does not come to.
        """
        path = f"{self._dump}/database.dump"
        words = [self._program("pg_dump"), f"--host={self.socket}", f"--port={PORT}", f"--username={user}"]
        words += ["--no-password", "--format=custom", "--no-owner", "--no-privileges", database]
        self._must(_as_user('exec "$@" >"$0"', path, words), "the copy could not be written", timeout_s)
        return path

    def listed(self, path: str) -> str:
        """The table of contents of such a file."""
        words = [self._program("pg_restore"), "--list"]
        return self._must(_as_user('exec "$@" <"$0"', path, words), "the copy could not be read", 600)

    def stop(self) -> None:
        """Stop it at once; it is thrown away. A replay that a killed run left is the keeper's."""
        self._halt()
        if os.path.exists(f"{self._data}/postmaster.pid") and os.stat(self._data).st_uid == self._system.uid(KEEPER):
            words = [self._program("pg_ctl"), "-D", self._data, "-m", "immediate", "stop"]
            self._must(["runuser", "-u", KEEPER, "--", *words], "the replay does not stop", STOP_S)

    def _halt(self) -> None:
        self._system.run(["systemctl", "stop", UNIT], None, STOP_S)

    def _program(self, name: str) -> str:
        # Read once: after the cluster was handed over, what lies there is whatever its user likes.
        if not self._version:
            try:
                with open(f"{self._data}/PG_VERSION", encoding="ascii", errors="replace") as file:
                    version = file.read(9).strip()
            except FileNotFoundError:
                raise EstateError(f"{self._data} holds no cluster") from None
            # It came with the cluster, and names a program that root starts.
            if not version.isdecimal():
                raise EstateError(f"{self._data}/PG_VERSION names no version of PostgreSQL")
            self._version = version
        return f"/usr/lib/postgresql/{self._version}/bin/{name}"

    def _must(self, words: list[str], what: str, timeout_s: float) -> str:
        code, out, err = self._system.run(words, None, timeout_s)
        if code != 0:
            told = " ".join((err.strip() or out.strip()).split())[-800:]
            raise EstateError(f"{what} ({words[0]} ended with {code}): {told}{self._tail()}")
        return out

    def _tail(self) -> str:
        try:
            with open(self._log, encoding="utf-8", errors="replace") as file:
                return " | " + " | ".join(file.read().splitlines()[-5:])
        except OSError:
            return ""


def _as_user(script: str, path: str, words: list[str]) -> list[str]:
    """A program as the server's user, with a file that root opens for it."""
    user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", "--"]
    return ["sh", "-c", script, path, *user, *words]
