# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill restores a recovery point, starts the real Odoo on it, judges it, and leaves nothing but evidence."""

from __future__ import annotations

import json
import time

import pytest

pytestmark = pytest.mark.drill

EVIDENCE = "/var/lib/retailerp-estate/drills"
LEFT = "ls /var/lib/retailerp-estate/drill 2>/dev/null; pgrep -a -u estate-keeper,estate-drill postgres; true"


READ = "test ! -r /etc/estate/filestore-gate/keeper.key && test ! -r /etc/estate/backup-keeper/conf.d/secrets.conf"
PLANTED = (
    "ALTER SYSTEM SET recovery_end_command = 'touch /var/lib/estate-keeper/planted'",
    "ALTER SYSTEM SET shared_buffers = '64GB'",
    "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "
    f"COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; {READ} && test $(id -un) = estate-drill'; RETURN NEW; END $$",
    "CREATE TRIGGER planted BEFORE UPDATE ON res_users FOR EACH ROW EXECUTE FUNCTION planted()",
)
PULLED = (
    "ALTER SYSTEM RESET recovery_end_command",
    "ALTER SYSTEM RESET shared_buffers",
    "DROP TRIGGER IF EXISTS planted ON res_users",
    "DROP FUNCTION IF EXISTS planted()",
)


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
    name = f"d{time.time_ns()}"
    try:
        for statement in PLANTED:
            lab.sql(lab.primary(), statement)
        lab.playbook("backup", "-e", "type=full")
        lab.playbook("point", "-e", "label=drill", "-e", f"point={name}")
    finally:
        for statement in PULLED:
            lab.sql(lab.primary(), statement)
    lab.playbook("restore_drill", "-e", f"point={name}")
    assert newest(lab, keeper)["failed"] == {}
    assert lab.ssh(keeper, "ls /var/lib/estate-keeper/planted", check=False) == ""
    assert lab.ssh(keeper, LEFT) == ""
