# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_minor_upgrade and postgresql_major_upgrade as Ansible calls them, on hosts that are made of files."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.retailerp.estate.plugins.module_utils.host.packages import Packages, Seen
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.patroni import api
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import cluster as cluster_plan
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import server, status, upgrade_client
from ansible_collections.retailerp.estate.plugins.modules import postgresql_major_upgrade, postgresql_minor_upgrade

MEMBER = {
    "member": "db1",
    "members": {"db1": "10.0.0.1", "db2": "10.0.0.2"},
    "replication_user": "shop_replication",
    "replication_password": "canary-password",
    "ca_file": "/ca.pem",
    "locale": {"encoding": "UTF8", "collate": "C", "ctype": "C.UTF-8"},
    "to": "17",
}
POLICY = "postgresql-99:\n  Candidate: 99.2-1\n  Version table:\n     99.2-1 500\n *** 99.1-1 100\n"
SHOWN = (
    "postgresql-99 postgresql-99 installed 99.1-1\npostgresql-99 libpq5 installed 99.1-1\nbash bash installed 5.2-1\n"
)


@pytest.fixture(autouse=True)
def library(tmp_path, monkeypatch):
    """A host of its own: this machine may have a cluster, and programs."""
    monkeypatch.setattr(server, "LIBRARY", str(tmp_path))
    monkeypatch.setattr(upgrade_client, "installed", lambda: frozenset({"15"}))
    monkeypatch.setattr(upgrade_client, "STAMP", str(tmp_path / "stamp"))
    monkeypatch.setattr(upgrade_client, "REHEARSAL", str(tmp_path / "rehearsal"))
    monkeypatch.setattr(upgrade_client, "boots", lambda version: version == "15")
    return tmp_path


@pytest.fixture
def call(capsys):
    """Run a module in check mode; its result."""

    def run(module, **options):
        with patch_module_args({**options, "_ansible_check_mode": True}), pytest.raises(SystemExit):
            module.main()
        printed = capsys.readouterr().out
        assert "canary-password" not in printed
        return json.loads(printed)

    return run


def cluster(library, version, name="main", standby=False):
    """A data directory, as far as anybody looks at it."""
    (library / version / name / "global").mkdir(parents=True)
    (library / version / name / "global/pg_control").touch()
    if standby:
        (library / version / name / "standby.signal").touch()


@pytest.fixture
def apt(monkeypatch):
    """apt and dpkg with one newer version on offer; how often lists were fetched."""
    fetched = []
    monkeypatch.setattr(Packages, "read", lambda self: Seen({"postgresql-99": ("install", "installed")}))
    monkeypatch.setattr(Packages, "refresh", lambda self: fetched.append(1))
    said = {"dpkg-query": SHOWN, "apt-cache": POLICY}
    monkeypatch.setattr(System, "run", lambda self, argv, *rest: (0, said[argv[0]], ""))
    return fetched


def test_a_minor_upgrade_is_foretold_with_lists_fetched_once(call, apt):
    result = call(postgresql_minor_upgrade, member="db1", version="99")
    assert result["changed"]
    assert result["package"] == {"target": "99.2-1"}
    assert [change["resource"] for change in result["changes"]] == [
        "package libpq5",
        "package postgresql-99",
        "hold of package postgresql-99",
    ]
    assert len(apt) == 1
    call(postgresql_minor_upgrade, member="db1", version="99", to="99.2-1")
    assert len(apt) == 1, "what is meant stands in the lists that are there"


def test_a_version_that_nobody_offers_is_refused(call, apt):
    result = call(postgresql_minor_upgrade, member="db1", version="99", to="99.7")
    assert result["failed"]
    assert "99.2-1, 99.1-1" in result["msg"]


@pytest.fixture
def by_patroni(monkeypatch):
    """A running standby that Patroni starts; what is done to it, in order."""
    did, done = [], []
    own = cluster_plan.Instance("db2", "ready", "standby", True, "42", 1, "in archive recovery")
    streams = SimpleNamespace(receiver={"status": "streaming"})
    monkeypatch.setattr(status, "wait", lambda *_: (own, streams))
    monkeypatch.setattr(server, "read_instance", lambda layout, name: own)
    monkeypatch.setattr(server, "is_running", lambda layout: True)
    monkeypatch.setattr(server, "is_outdated", lambda layout: "restart" not in done)
    monkeypatch.setattr(server, "systemctl", lambda *words: did.append(words))
    monkeypatch.setattr(api, "wait_to_restart", lambda place, name, wait_s: did.append("wait"))
    monkeypatch.setattr(Packages, "upgrade", lambda self, wanted, mend: did.append("packages"))
    monkeypatch.setattr(
        api, "restart_standby", lambda place, name, wait_s: did.append("restart") or done.append("restart")
    )
    return did


PATRONI = {"manager": "patroni", "api": {"address": "10.0.0.2", "tls_directory": "/tls"}}


def test_patroni_is_asked_for_the_restart_and_no_unit_is_touched(by_patroni, apt):
    params = {"member": "db2", "version": "99", "port": 5432, "to": "99.2-1", **PATRONI}
    params["api"] = {"api_port": 8008, **params["api"]}
    upgrade = postgresql_minor_upgrade.Minor(params, System())
    changes = upgrade.plan(upgrade.read())
    assert changes[-1].resource == "service patroni@99-main.service"
    upgrade.apply(changes)
    assert by_patroni == ["wait", "packages", "restart"]
    by_patroni.clear()
    upgrade.apply([change for change in changes if change.data == "packages"])
    assert by_patroni == ["packages"], "clients alone take nobody down"


def test_a_server_that_patroni_does_not_start_is_not_upgraded(call, apt, by_patroni, monkeypatch):
    down = cluster_plan.Instance("db2", "ready", "standby", False, "42", 1, "shut down in recovery")
    monkeypatch.setattr(status, "wait", lambda *_: (down, None))
    result = call(postgresql_minor_upgrade, member="db2", version="99", **PATRONI)
    assert "db2 does not run, and Patroni does not start it" in result["msg"]


def test_patroni_is_found_by_an_address(call):
    assert "api" in call(postgresql_minor_upgrade, member="db2", manager="patroni")["msg"]


@pytest.mark.parametrize("standby", [True, False])
def test_where_a_member_stands(call, library, standby):
    cluster(library, "15", standby=standby)
    cluster(library, "17", "main.estate-undone")
    told = call(postgresql_major_upgrade, **MEMBER, state="found")["upgrade"]
    assert (told["live"], told["kept"], told["running"]) == ("15", None, False)
    assert told["role"] == ("standby" if standby else "primary")


def test_an_upgrade_is_foretold_as_if_the_primary_were_stopped(call, library):
    cluster(library, "15")
    result = call(postgresql_major_upgrade, **MEMBER, state="upgraded")
    assert [change["after"] for change in result["changes"]] == [
        "pg_upgrade from 15",
        "kept for the way back",
        "in place",
        "17 only",
        None,
    ]


def test_the_way_back_is_foretold(call, library):
    cluster(library, "17")
    cluster(library, "15", "main.estate-kept")
    result = call(postgresql_major_upgrade, **MEMBER, state="back")
    assert [change["after"] for change in result["changes"]][1:3] == ["given up", "in place"]
    assert "may have taken writes" in call(postgresql_major_upgrade, **MEMBER, state="back", automatic=True)["msg"]


def test_an_upgrade_without_rehearsal_is_refused(call, library, monkeypatch):
    cluster(library, "15")
    result = call(postgresql_major_upgrade, **MEMBER, state="checked", rehearsals=[])
    assert "no rehearsal stands for this upgrade (none was made)" in result["msg"]
    assert not call(postgresql_major_upgrade, **MEMBER, state="checked").get("failed")


def test_directories_move_and_notes_outlive_a_run(library, monkeypatch):
    monkeypatch.setattr(upgrade_client, "STATE", str(library))
    cluster(library, "15")
    layout = server.Layout("15")
    kept = upgrade_client.aside(layout, server.KEPT)
    upgrade_client.move(layout.directory, kept)
    assert (server.versions_of(), server.versions_of(server.KEPT)) == ([], ["15"])
    upgrade_client.note(upgrade_client.STAMP, {"checkpoint": "0/1"})
    assert upgrade_client.read_note(upgrade_client.STAMP) == {"checkpoint": "0/1"}
    upgrade_client.forget(upgrade_client.STAMP)
    assert upgrade_client.read_note(upgrade_client.STAMP) == {}


@pytest.mark.parametrize(
    ("sums", "version", "word"),
    [("1", "17", "--data-checksums"), ("0", "17", None), ("0", "18", "--no-data-checksums")],
)
def test_a_new_cluster_has_checksums_if_the_old_one_has(sums, version, word):
    control = {"Data page checksum version": sums, "Bytes per WAL segment": "16777216"}
    assert upgrade_client.initdb_options(control, version) == [*([word] if word else []), "--wal-segsize=16"]
