# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy leaves the keeper neutral, and an estate serves it: here the one it came from, as the lab has no other.

The last file of the scenario: the shop is its own neutral copy afterwards.
"""

from __future__ import annotations

import json
import stat
import tarfile
import time

import pytest

pytestmark = pytest.mark.drill

LEFT = (
    "ls -d /var/lib/retailerp-estate/copy /var/lib/estate-copy 2>/dev/null; "
    "pgrep -a -u estate-keeper,estate-drill postgres; true"
)
HERE = "ls -d /var/lib/postgresql/estate-copy /var/lib/retailerp-estate/copied 2>/dev/null; true"
SCRATCH = "/var/tmp/scratch-copy"
JOBS = (
    "SELECT count(*) FROM ir_cron WHERE active AND id NOT IN (SELECT res_id FROM ir_model_data "
    "WHERE module = 'base' AND name = 'autovacuum_job' AND model = 'ir.cron')"
)
SERVERS = "SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host NOT LIKE '%.invalid'"
STORED = "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL"
OWN = "SELECT value FROM ir_config_parameter WHERE key IN ('database.uuid', 'database.secret') ORDER BY key"
ON_ITS_WAY = (
    "TASK [retailerp.estate.postgresql : Bring the copy's database on its way (loading takes longer than copying)"
)
COUNTED = ("res_users", "res_partner", "ir_attachment")


@pytest.fixture(scope="module")
def counts(lab):
    return lambda: {table: int(lab.sql(lab.primary(), f"SELECT count(*) FROM {table}")) for table in COUNTED}


@pytest.fixture(scope="module")
def point(lab, keeper, counts):
    """A recovery point of a shop that would send mail, and what it held."""
    server = "INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, active, sequence)"
    lab.sql(lab.primary(), f"{server} VALUES ('copied', 'mail.example.com', 25, 'none', true, 1)")
    assert int(lab.sql(lab.primary(), JOBS)) > 0
    lab.playbook("backup", "-e", "type=full")
    held, own, name = counts(), lab.sql(lab.primary(), OWN), f"c{time.time_ns()}"
    lab.playbook("point", "-e", "label=copy", "-e", f"point={name}")
    return name, held, own


@pytest.fixture(scope="module")
def copies(lab, point, tmp_path_factory):
    """A new copy of the point; its directory on the controller."""

    def make():
        into = tmp_path_factory.mktemp("copies") / "copy"
        lab.playbook("copy_out", "-e", f"into={into}", "-e", f"point={point[0]}")
        return into

    return make


@pytest.fixture(scope="module")
def copy(copies):
    return copies()


def copy_in(lab, copy, *args, **kwargs):
    return lab.playbook("copy_in", "-e", f"from={copy}", "-e", f"confirm={lab.spec()['id']}", *args, **kwargs)


def far_off(seen, held):
    """Tables that hold clearly more or fewer rows than when the point was taken, while people worked."""
    return [table for table in COUNTED if abs(seen[table] - held[table]) > 20]


def neutral(lab):
    """The controls of the database that the estate serves, that do not hold."""
    app, plan = lab.group("app")[0], lab.plan()
    said = plan["hosts"][app]["odoo"]
    where = {
        "hosts": {name: plan["names"][name] for name in said["db"]["hosts"]},
        "port": said["db"]["port"],
        "name": said["db"]["name"],
        "user": said["db"]["user"],
        "password": lab.secrets()["postgresql_application"],
        "ca_file": "/etc/estate/filestore/ca.pem",
    }
    options = {"database": where, "url": said["url"]}
    result, _shown = lab.module(app, "retailerp.estate.odoo_neutralise_info", options)
    return [one for one in result["controls"] if one["state"] != "pass"]


@pytest.fixture(scope="module")
def serves(lab, site, point, counts, waiting):
    """Asserts that the estate serves the copy, whole, and that it acts on nobody."""

    def check():
        assert lab.get(f"{site}/web/login").status_code == 200
        assert neutral(lab) == []
        assert lab.sql(lab.primary(), SERVERS) == "0"
        assert far_off(counts(), point[1]) == []
        assert lab.playbook("restore_files", "--check").changed_tasks() == []
        names = lab.sql(lab.primary(), "SELECT datname FROM pg_database ORDER BY 1", database="postgres").split()
        assert [name for name in names if name.endswith(("_copy", "_before"))] == []
        for host in lab.group("db"):
            assert lab.ssh(host, HERE) == ""
            waiting(f"{host} follows", lambda host=host: lab.sql(host, OWN, check=False) == lab.sql(lab.primary(), OWN))
        assert lab.ssh(lab.group("app")[0], HERE) == ""

    return check


def test_a_copy_needs_a_place_and_an_estate_has_to_be_named(lab, keeper, tmp_path):
    nowhere = lab.playbook("copy_out", check=False)
    assert nowhere.code != 0
    assert "name a directory of this controller" in nowhere.output
    unnamed = lab.playbook("copy_in", "-e", f"from={tmp_path}", check=False)
    assert "add -e confirm=" in unnamed.output
    empty = copy_in(lab, tmp_path, check=False)
    assert empty.code != 0
    assert "copy.json is missing" in empty.output
    assert "Read the database hosts" not in empty.output


def test_what_leaves_the_keeper_acts_on_nobody_and_is_whole(lab, keeper, point, copy):
    """Restored into a server of its own, which nothing of the estate knows."""
    _name, held, own = point
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    assert lab.ssh(keeper, LEFT) == ""
    told = json.loads((copy / "copy.json").read_text())
    lab.ssh(keeper, f"rm -rf {SCRATCH}; install -d -o postgres -m 0755 {SCRATCH}")
    options = {"src": str(copy / "database.dump"), "dest": f"{SCRATCH}/dump", "owner": "postgres"}
    assert not lab.module(keeper, "ansible.builtin.copy", options)[0]["failed"]
    as_postgres = "cd / && runuser -u postgres -- $(ls -d /usr/lib/postgresql/*/bin | tail -1)/{} {}"

    def run(program, words):
        return lab.ssh(keeper, as_postgres.format(program, words), timeout=600).strip()

    def ask(query):
        return run("psql", f'-XqAt -h {SCRATCH} -d copied -c "{query}"')

    try:
        run("initdb", f"-D {SCRATCH}/data -A trust --locale=C.UTF-8 >/dev/null")
        settings = f"-c listen_addresses= -c unix_socket_directories={SCRATCH}"
        run("pg_ctl", f'-D {SCRATCH}/data -w -l {SCRATCH}/log -o "{settings}" start >/dev/null')
        run("createdb", f"-h {SCRATCH} copied")
        ask("CREATE EXTENSION unaccent; ALTER FUNCTION unaccent(text) IMMUTABLE")
        run("pg_restore", f"-h {SCRATCH} -d copied --no-owner --no-privileges --exit-on-error {SCRATCH}/dump")
        assert (ask(JOBS), ask(SERVERS)) == ("0", "0")
        assert ask("SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'") == "https://copy.invalid"
        assert set(ask(OWN).split()).isdisjoint(own.split())
        seen = {table: int(ask(f"SELECT count(*) FROM {table}")) for table in COUNTED}
        assert seen == told["database"]["rows"]
        assert far_off(seen, held) == []
        with tarfile.open(copy / "files.tar") as archive:
            assert set(archive.getnames()) == set(ask(STORED).split()) - set(told["filestore"]["lost"])
        assert len(ask(STORED).split()) > 100
    finally:
        lab.ssh(keeper, as_postgres.format("pg_ctl", f"-D {SCRATCH}/data -m immediate stop"), check=False)
        lab.ssh(keeper, f"rm -rf {SCRATCH}")


def test_a_directory_that_holds_a_copy_is_not_written_to(lab, copy):
    again = lab.playbook("copy_out", "-e", f"into={copy}", check=False)
    assert again.code != 0
    assert "holds a copy already" in again.output


def test_check_mode_tells_of_the_exchange_and_does_nothing(lab, copy):
    app, before = lab.group("app")[0], lab.sql(lab.primary(), OWN)
    foretold = copy_in(lab, copy, "--check")
    assert any("database" in task for _host, task in foretold.changed_tasks())
    assert lab.sql(lab.primary(), OWN) == before
    assert lab.ssh(app, HERE) == ""


def test_an_estate_serves_the_copy_and_a_second_run_changes_nothing(lab, copy, serves):
    lab.sql(lab.primary(), "INSERT INTO ir_config_parameter (key, value) VALUES ('newer', 'than the copy')")
    copy_in(lab, copy)
    serves()
    assert lab.sql(lab.primary(), "SELECT count(*) FROM ir_config_parameter WHERE key = 'newer'") == "0"
    started = lab.started(lab.group("app")[0])
    assert copy_in(lab, copy).changed_tasks() == []
    assert lab.started(lab.group("app")[0]) == started


@pytest.mark.parametrize(
    "words",
    [
        f"{ON_ITS_WAY} - staged",
        f"{ON_ITS_WAY} - placed",
        "TASK [retailerp.estate.odoo : The filestore holds",
    ],
)
def test_cut_short_the_next_run_ends_the_same(lab, copies, serves, words):
    copy = copies()
    lab.killed(words, 1, "copy_in", "-e", f"from={copy}", "-e", f"confirm={lab.spec()['id']}")
    copy_in(lab, copy)
    serves()
    assert copy_in(lab, copy).changed_tasks() == []


def test_a_copy_that_was_changed_on_the_way_stays_out(lab, copies):
    copy = copies()
    with (copy / "database.dump").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    refused = copy_in(lab, copy, check=False)
    assert refused.code != 0
    assert "database.dump is not what copy.json says" in refused.output


def test_the_estate_takes_over_who_signs_in(lab, copy):
    """Signing in at another is off in a copy; the estate's own playbook switches its own on, and all holds."""
    lab.playbook("access")
    lab.playbook("verify")
    assert lab.playbook("onboard").changed_tasks() == []
