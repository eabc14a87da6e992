# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill restores a recovery point, starts the real Odoo on it, judges it, and leaves nothing but evidence."""

from __future__ import annotations

import base64
import itertools
import json
import os
import threading
import time

import pytest

from ansible_collections.retailerp.estate.tests.people import Administrator

pytestmark = pytest.mark.drill

EVIDENCE = "/var/lib/retailerp-estate/drills"
LEFT = "ls /var/lib/retailerp-estate/drill 2>/dev/null; pgrep -a -u estate-keeper,estate-drill postgres; true"
READ = "test ! -r /etc/estate/filestore-gate/keeper.key && test ! -r /etc/estate/backup-keeper/conf.d/secrets.conf"
PLANTED = (
    "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "
    f"COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; {READ} && test $(id -un) = estate-drill'; RETURN NEW; END $$",
    "CREATE TRIGGER planted BEFORE UPDATE ON res_users FOR EACH ROW EXECUTE FUNCTION planted()",
)
PULLED = ("DROP TRIGGER IF EXISTS planted ON res_users", "DROP FUNCTION IF EXISTS planted()")
# As ALTER SYSTEM writes them, which the estate's servers refuse; whoever is root needs no such statement.
SETTINGS = "recovery_end_command = 'touch /var/lib/estate-keeper/planted'\nshared_buffers = '64GB'\n"
FILES = "SELECT count(DISTINCT store_fname) FROM ir_attachment WHERE store_fname IS NOT NULL"
JOB = "(SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'autovacuum_job' AND model = 'ir.cron')"
# Odoo's collection is due at its next look, once a minute; whoever holds the job off is not waited for.
COLLECT = (
    "UPDATE ir_cron SET nextcall = (now() AT TIME ZONE 'utc') - interval '1 minute' "
    f"WHERE id IN (SELECT id FROM ir_cron WHERE id = {JOB} FOR UPDATE SKIP LOCKED)"
)


class Clerk:
    """Somebody who adds and removes attachments in the real Odoo all the time; of three that were added one goes."""

    def __init__(self, lab, database):
        spec = lab.spec()
        # A connection of its own: one cannot be shared between threads.
        entry, password = f"https://admin.{spec['domain']}", lab.secrets()["odoo_administrator"]
        self._odoo = Administrator(entry, spec["id"], password, lab.ca)
        self._lab, self._database = lab, database
        self._over, self._thread = threading.Event(), threading.Thread(target=self._run, daemon=True)
        self.added, self.removed, self.error = [], [], None

    def _run(self):
        try:
            for turn in itertools.count():
                if self._over.is_set():
                    return
                content = base64.b64encode(os.urandom(20_000)).decode()
                values = {"name": f"clerk {turn}", "datas": content}
                self.added.append(self._odoo("ir.attachment", "create", values))
                if turn % 3 == 2:
                    self._odoo("ir.attachment", "unlink", [self.added[-2]])
                    self.removed.append(self.added[-2])
                if turn % 30 == 0:
                    self._lab.sql(self._lab.primary(), COLLECT, database=self._database)
                time.sleep(0.1)
        except Exception as err:  # noqa: BLE001  # whatever it was, the test tells it
            self.error = err

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_raised):
        self._over.set()
        self._thread.join(timeout=120)

    def clear(self):
        """Remove what is left of it."""
        self._odoo("ir.attachment", "unlink", sorted(set(self.added) - set(self.removed)))


@pytest.fixture(scope="module")
def point(lab, keeper):
    """A recovery point that was just taken, on a backup of its own."""
    lab.playbook("backup", "-e", "type=full")
    name = f"d{time.time_ns()}"
    lab.playbook("point", "-e", "label=drill", "-e", f"point={name}")
    return name


def newest(lab, keeper):
    """What the last drill found."""
    return json.loads(lab.ssh(keeper, f"cat $(ls -t {EVIDENCE}/*.json | head -1)"))


def test_a_point_is_proven_in_three_minutes_and_nothing_is_left(lab, keeper, point):
    before = lab.started(keeper)
    served = lab.started(lab.group("app")[0])
    lab.playbook("restore_drill", "-e", f"point={point}")
    found = newest(lab, keeper)
    assert found["point"]["name"] == point
    assert [one for one in found["controls"] if one["state"] != "pass"] == []
    assert (found["odoo"]["login"], found["odoo"]["order"], found["odoo"]["attachment"]) == (True, True, True)
    assert found["attachments"] > 100
    assert found["damaged"] == []
    assert found["rto_s"] < 180
    assert 0 < found["rpo_s"] < 3600
    assert lab.ssh(keeper, LEFT) == ""
    assert (lab.started(keeper), lab.started(lab.group("app")[0])) == (before, served)


def test_the_timer_drills_by_itself(lab, keeper, point):
    assert lab.ssh(keeper, "systemctl is-active estate-restore-drill.timer").strip() == "active"
    lab.ssh(keeper, "systemctl start estate-restore-drill", timeout=600)
    assert newest(lab, keeper)["failed"] == {}
    assert lab.playbook("onboard").changed_tasks() == []


def test_a_file_that_the_point_lacks_fails_the_drill_loudly(lab, keeper, point):
    """A row names a file that was lost before the point was taken: the point tells it, and the drill fails on it."""
    app, name = lab.group("app")[0], f"d{time.time_ns()}"
    directory = lab.plan()["hosts"][app]["filestore"]["directory"]
    lost = lab.ssh(app, f"cd {directory} && find . -path './*/*' -type f | sort | head -1").strip()
    lab.ssh(app, f"mv {directory}/{lost} /root/lost")
    try:
        lab.playbook("point", "-e", "label=drill", "-e", f"point={name}")
        failed = lab.playbook("restore_drill", "-e", f"point={name}", check=False)
    finally:
        lab.ssh(app, f"mv /root/lost {directory}/{lost}")
    assert failed.code != 0
    assert "Every attachment is on disk" in failed.output
    assert newest(lab, keeper)["damaged"] == [lost.removeprefix("./")]
    assert lab.ssh(keeper, LEFT) == ""


def test_what_a_killed_drill_left_is_cleared_by_the_next(lab, keeper, point):
    def kill():
        time.sleep(15)
        lab.ssh(keeper, "pkill -KILL -x pgbackrest; pkill -KILL -fx '/usr/bin/python3[.0-9]*'", check=False)

    lab.killed("TASK [retailerp.estate.restore_drill : Restore", 1, "restore_drill", "-e", f"point={point}", first=kill)
    lab.playbook("restore_drill", "-e", f"point={point}")
    assert newest(lab, keeper)["failed"] == {}
    assert lab.ssh(keeper, LEFT) == ""


def test_what_was_planted_in_the_database_meets_no_secret_and_spoils_no_drill(lab, keeper, point):
    """A drill writes the administrator's password: the trigger's program fails unless it runs as nobody."""
    name, primary = f"d{time.time_ns()}", lab.primary()
    settings = lab.sql(primary, "SHOW data_directory") + "/postgresql.auto.conf"
    try:
        lab.sql(primary, *PLANTED)
        lab.ssh(primary, f"cp -a {settings} {settings}.own && cat >> {settings}", stdin=SETTINGS)
        lab.playbook("backup", "-e", "type=full")
        lab.playbook("point", "-e", "label=drill", "-e", f"point={name}")
    finally:
        lab.ssh(primary, f"mv {settings}.own {settings}", check=False)
        lab.sql(primary, *PULLED)
    lab.playbook("restore_drill", "-e", f"point={name}")
    assert newest(lab, keeper)["failed"] == {}
    assert lab.ssh(keeper, "ls /var/lib/estate-keeper/planted", check=False) == ""
    assert lab.ssh(keeper, LEFT) == ""


def test_the_pair_is_consistent_while_attachments_come_and_go(lab, keeper, waiting):
    """Every row of the restored database has its file, though files were added, removed and collected meanwhile."""
    name = f"c{time.time_ns()}"
    database = lab.plan()["hosts"][lab.group("app")[0]]["odoo"]["db"]["name"]

    def files():
        return int(lab.sql(lab.primary(), FILES, database=database))

    before = files()
    clerk = Clerk(lab, database)
    try:
        with clerk:
            waiting("the clerk is at work", lambda: clerk.error or clerk.removed)
            counted = len(clerk.added)
            lab.playbook("backup", "-e", f"point={name}")
            assert len(clerk.added) > counted, "nobody waited for the point"
        assert clerk.error is None, repr(clerk.error)
        ended = files()
        lab.playbook("restore_drill", "-e", f"point={name}")
        found = newest(lab, keeper)
        assert found["point"]["name"] == name
        assert (found["failed"], found["damaged"]) == ({}, [])
        # The pair is of a moment in between: the clerk's files become more, and never less by two.
        assert before < found["attachments"] <= ended + 1
        # The drill counts the rows of the pair; the point counted them a moment after the place that it is restored to.
        assert abs(found["attachments"] - found["point"]["attachments"]) <= 5
    finally:
        clerk.clear()
