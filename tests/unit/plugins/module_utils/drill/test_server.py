# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs what of a restored cluster, by which settings, and for whom it is open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.drill import server
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import UnitState
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import backup_client
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

USERS = {server.KEEPER: 801, server.USER: 802}
PLANTED = "recovery_end_command = 'id'\nshared_buffers = '24GB'\nport = 1\n"


class Host(System):
    """Programs that note how they were called, and with which settings; owners are noted, too."""

    def __init__(self, root):
        super().__init__()
        self.root, self.calls, self.settings, self.owners = root, [], [], {}
        self.ready, self.unit_state, self.paused = 0, "active", 0

    def uid(self, name):
        return USERS.get(name)

    gid = uid

    def make_directory(self, path, uid, gid, mode):
        os.makedirs(path, exist_ok=True)
        self.owners[os.path.basename(path)] = (uid, gid, mode)

    def write(self, path, content, uid, gid, mode):
        with open(path, "wb") as file:
            file.write(content)
        self.owners[os.path.basename(path)] = (uid, gid, mode)

    def run(self, argv, stdin=None, timeout_s=0):
        self.calls.append(argv)
        if argv[-1].startswith("config_file="):
            self.settings.append((self.root / "server.conf").read_text() + (self.root / "hba.conf").read_text())
        return (self.ready if argv[0].endswith("pg_isready") else 0), "", ""

    def unit(self, name):
        assert name == server.UNIT
        return UnitState(True, self.unit_state)

    def pause(self, seconds):
        self.paused += seconds

    def called(self, program):
        """Calls that run it."""
        return [argv for argv in self.calls if any(word.endswith(f"/bin/{program}") for word in argv)]


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.fixture
def restored(host, monkeypatch, tmp_path):
    """A server whose cluster brings settings of the primary along."""
    version = ["17\n"]

    def lay(self, command, *options, timeout_s):
        host.calls.append(["pgbackrest", command, *options])
        (tmp_path / "data/PG_VERSION").write_text(version[0])
        (tmp_path / "data/postgresql.auto.conf").write_text(PLANTED)
        return 0, "", ""

    monkeypatch.setattr(backup_client.Client, "call", lay)
    monkeypatch.setattr(backup_client.Client, "told", lambda self: None)
    made = server.Server(str(tmp_path), host)
    made.make(101)
    return made, version


def test_the_keeper_replays_and_another_user_without_a_network_serves(host, restored):
    made, _version = restored
    made.restore("shop", "0/3000028", 2, 60)
    made.start("shop", "shop_application")
    replay, serve = host.called("postgres")
    assert replay[:4] == ["runuser", "-u", "estate-keeper", "--"]
    assert serve[0] == "systemd-run"
    asked = {"User=estate-drill", "Group=estate-drill", "NoNewPrivileges=yes", "RestrictAddressFamilies=AF_UNIX"}
    assert {f"--property={one}" for one in asked} <= set(serve)
    (given,) = [argv for argv in host.calls if argv[0] == "chown"]
    assert host.calls.index(replay) < host.calls.index(given) < host.calls.index(serve)
    # A link that came along is not followed.
    assert "--no-dereference" in given


def test_the_clusters_own_settings_do_not_count(host, restored, tmp_path):
    made, _version = restored
    made.restore("shop", "0/3000028", 2, 60)
    made.start("shop", "shop_application")
    assert not (tmp_path / "data/postgresql.auto.conf").exists()
    replay, serve = host.settings
    for settings in (replay, serve):
        assert "recovery_target_lsn = '0/3000028'\nrecovery_target_timeline = '2'\n" in settings
        assert "shared_buffers = 128MB" in settings
        assert "port = 5432" in settings
    assert "recovery_target_action = shutdown" in replay
    assert "archive-get %f" in replay
    assert "recovery_target_action = promote" in serve
    # Whoever serves has no credentials to read a store with.
    assert "restore_command = 'false'" in serve
    assert {host.owners[name] for name in ("server.conf", "hba.conf")} == {(0, 0, 0o644)}


def test_one_role_is_let_in_by_one_group_where_odoo_connects(host, restored):
    made, _version = restored
    assert host.owners["socket"] == (802, 101, 0o710)
    assert host.owners["dump"] == (0, 0, 0o700)
    made.restore("shop", "0/3000028", 2, 60)
    made.start("shop", "shop_application")
    replay, serve = ([line for line in one.splitlines() if line.startswith("local")] for one in host.settings)
    assert replay == ["local all all reject"]
    assert serve == ['local "shop","postgres" "shop_application" trust']


def test_what_the_cluster_calls_its_version_names_no_program_of_its_own(host, restored):
    made, version = restored
    version[0] = "../../../tmp"
    with pytest.raises(EstateError, match="names no version"):
        made.restore("shop", "0/3000028", 2, 60)
    assert host.called("postgres") == []


def test_no_wait_is_without_an_end(host, restored, monkeypatch):
    made, _version = restored
    made.restore("shop", "0/3000028", 2, 60)
    host.ready = 1
    with pytest.raises(EstateError, match="lets nobody in after 1800 s"):
        made.start("shop", "shop_application")
    assert host.paused == 1800
    host.unit_state = "failed"
    with pytest.raises(EstateError, match="does not start"):
        made.start("shop", "shop_application")


def test_a_dump_is_roots_file_and_no_work_of_root(host, restored, tmp_path):
    made, _version = restored
    made.restore("shop", "0/3000028", 2, 60)
    path = made.dump("shop", "shop_application", 60)
    made.listed(path)
    for program in ("pg_dump", "pg_restore"):
        ((shell, _option, _script, opened, *words),) = host.called(program)
        assert (shell, opened, words[:2]) == ("sh", path, ["setpriv", "--reuid=estate-drill"])


def test_what_a_killed_run_left_is_stopped_whoever_ran_it(host, restored, monkeypatch, tmp_path):
    made, _version = restored
    (tmp_path / "data/PG_VERSION").write_text("17\n")
    (tmp_path / "data/postmaster.pid").touch()
    monkeypatch.setitem(USERS, server.KEEPER, os.getuid())
    made.stop()
    assert ["systemctl", "stop", server.UNIT] in host.calls
    assert host.called("pg_ctl")[0][:3] == ["runuser", "-u", "estate-keeper"]
    monkeypatch.setitem(USERS, server.KEEPER, 801)
    host.calls.clear()
    made.stop()
    assert host.called("pg_ctl") == []


def test_a_host_without_the_user_says_which_playbook_makes_it(host, monkeypatch, tmp_path):
    monkeypatch.delitem(USERS, server.USER)
    with pytest.raises(EstateError, match="no user estate-drill.*playbook filestore"):
        server.Server(str(tmp_path), host).make(101)


def test_the_role_makes_that_user():
    role = Path(__file__).parents[5] / "roles/restore_drill/tasks/main.yml"
    assert f"u {server.USER} - " in role.read_text()
