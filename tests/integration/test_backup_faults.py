# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong with stores: damage, loss, a wrong key, no room. Each is told, and mended by the step it names."""

from __future__ import annotations

import contextlib
import json
import time

import pytest

from ansible_collections.retailerp.estate.tests.members import WAITING, cut

pytestmark = pytest.mark.drill

#: Where the lab's S3 keeps objects: a file each.
STORE = "/var/lib/lab/s3/shop-backup/shop"
SECRETS = "/etc/estate/backup-keeper/conf.d/secrets.conf"
PENDING = (
    "name=$(ls *.history | tail -1) && rm -f archive_status/$name.done && "
    "runuser -u postgres -- touch archive_status/$name.ready"
)
SEGMENT = "SELECT pg_logical_emit_message(false, 'estate', repeat('x', 1000000)), pg_switch_wal()"


@pytest.fixture
def read(lab, keeper):
    """Call it: what the report says, as the module returns it on the keeper."""
    plan = lab.plan()["hosts"][keeper]["backup_keeper"]
    options = {"member": keeper, "stanza": plan["stanza"], "repositories": [1, 2], "keeper": True, "gaps": True}
    options |= {"user": "estate-keeper", "configuration": "/etc/estate/backup-keeper", "lock_days": [7, 0]}
    return lambda: lab.module(keeper, "retailerp.estate.postgresql_backup_info", options)[0]


def failing(result):
    """Ids of what does not hold."""
    return {one["id"] for one in result["controls"] + result["vitals"] if one["state"] == "fail"}


@pytest.fixture(scope="module")
def point(lab, pair):
    """A recovery point on full backups of its own."""
    lab.playbook("backup", "-e", "type=full")
    name = f"f{time.time_ns()}"
    lab.playbook("point", "-e", "label=faults", "-e", f"point={name}")
    return name


def drill(lab, point, store):
    return lab.playbook("restore_drill", "-e", f"point={point}", "-e", f"store={store}", check=False)


def flipped(lab, keeper, path):
    """Change one byte in the middle of a file; the command that changes it back."""
    program = f"f=open('{path}','r+b');n=f.seek(0,2)//2;f.seek(n);b=f.read(1);f.seek(n);f.write(bytes([b[0]^255]))"
    lab.ssh(keeper, f'python3 -c "{program}"')
    return lambda: lab.ssh(keeper, f'python3 -c "{program}"')


def test_a_damaged_object_fails_the_drill_of_its_store_and_the_other_restores(lab, pair, keeper, point, read):
    label = max(one["label"] for one in read()["report"]["backups"] if one["store"] == 1)
    bundles = lab.ssh(keeper, f"find {STORE}/backup -path '*{label}/bundle/*' -type f -size +100k | sort").split()
    back = flipped(lab, keeper, bundles[0])
    try:
        failed = drill(lab, point, 1)
        assert failed.code != 0
        assert "the database could not be restored" in failed.output
        assert drill(lab, point, 2).code == 0, "the other store is whole"
        told = lab.playbook("verify", check=False)
        assert "The last drill of each store went well" in told.output, (
            "a good drill of one hides no bad one of the other"
        )
        assert "store 1: " in told.output
    finally:
        back()
    assert drill(lab, point, 1).code == 0
    lab.playbook("verify")


def test_missing_wal_is_reported_fails_the_drill_and_is_over_with_the_next_backup(lab, pair, keeper, waiting, read):
    primary = pair.primary()
    before = read()
    assert before["report"]["gaps"] == {"1": [], "2": []}
    for _segment in range(3):
        pair.sql(primary, SEGMENT)
    waiting("WAL has arrived", lambda: pair.sql(primary, WAITING) == "0", timeout=120)
    name = f"g{time.time_ns()}"
    lab.playbook("point", "-e", "label=gap", "-e", f"point={name}")
    held = lab.ssh(keeper, f"find {STORE}/archive -name '*-*' -type f | grep -E '/[0-9A-F]{{24}}-' | sort").split()
    lost = held[-3]
    lab.ssh(keeper, f"mv {lost} /root/lost.wal")
    try:
        told = read()
        assert "backup.1.gap" in failing(told)
        assert "backup.2.gap" not in failing(told)
        assert any("segments of WAL are missing" in line for line in told["summary"])
        assert lost.rpartition("/")[2][:24] in json.dumps(told["report"]["gaps"])
        failed = drill(lab, name, 1)
        assert failed.code != 0
        assert "could not be replayed" in failed.output
        assert drill(lab, name, 2).code == 0
        lab.playbook("backup", "-e", "type=diff")
        after = read()
        assert "backup.1.gap" not in failing(after)
        assert any("segments of WAL are missing" in line for line in after["summary"]), "it is still told"
    finally:
        lab.ssh(keeper, f"mv /root/lost.wal {lost}")
    assert read()["report"]["gaps"] == {"1": [], "2": []}
    assert drill(lab, name, 1).code == 0


def test_a_wrong_key_is_told_and_put_right(lab, pair, keeper, read):
    lab.ssh(keeper, f"cp -p {SECRETS} /root/secrets && sed -i 's/cipher-pass=./&x/' {SECRETS}")
    unit = "estate-backup@incr"
    try:
        assert {"backup.1.store", "backup.2.store"} <= failing(read())
        assert lab.ssh(keeper, f"systemctl start {unit}; echo $?", check=False, timeout=300).split()[-1] != "0"
        lab.ssh(keeper, f"systemctl stop {unit}; systemctl reset-failed {unit}")
        assert lab.playbook("backups").changed_tasks() != []
    finally:
        lab.ssh(keeper, f"mv /root/secrets {SECRETS}")
    assert failing(read()) == set()


@contextlib.contextmanager
def full(lab, keeper):
    """The S3 store has no room meanwhile: its objects are on a small disk that is full."""
    small = (
        "systemctl stop lab-s3 && size=$(($(du -sm /var/lib/lab/s3 | cut -f1) + 24)) && mkdir /run/small && "
        "mount -t tmpfs -o size=${size}m tmpfs /run/small && cp -a /var/lib/lab/s3/. /run/small/ && "
        "mount --bind /run/small /var/lib/lab/s3 && cat /dev/zero >/var/lib/lab/s3/filler; systemctl start lab-s3"
    )
    lab.ssh(keeper, small)
    try:
        yield
    finally:
        lab.ssh(keeper, "rm -f /var/lib/lab/s3/filler")


def real_again(lab, keeper):
    """What arrived on the small disk stays, on the large one."""
    lab.ssh(
        keeper,
        "systemctl stop lab-s3; umount /var/lib/lab/s3 && cp -a /run/small/. /var/lib/lab/s3/ && umount /run/small && "
        "rmdir /run/small; systemctl start lab-s3",
        timeout=300,
    )


def test_a_full_store_stops_nothing_and_is_made_up_for(lab, pair, keeper, waiting, read):
    primary = pair.primary()
    try:
        with full(lab, keeper):
            for _segment in range(3):
                pair.sql(primary, SEGMENT)
            waiting("WAL waits", lambda: int(pair.sql(primary, WAITING)) > 0)
            title = "The archiver gets through"
            waiting("it is told", lambda: title in lab.playbook("verify", check=False).output, timeout=300)
            failed = lab.playbook("backup", check=False)
            assert failed.code != 0
            assert "store 1: failed" in failed.output
            assert "store 2: done" in failed.output, "the other store has its backup"
            pair.sql(primary, "CREATE TABLE IF NOT EXISTS estate_full (id int); INSERT INTO estate_full VALUES (1)")
        waiting("WAL has arrived", lambda: pair.sql(primary, WAITING) == "0", timeout=300)
        assert read()["report"]["gaps"]["1"] == []
    finally:
        real_again(lab, keeper)
        lab.ssh(keeper, "systemctl stop estate-backup@incr; systemctl reset-failed estate-backup@incr", check=False)
    lab.playbook("backup")
    assert failing(read()) == set()


def test_at_the_cap_wal_is_dropped_loudly_and_the_shop_goes_on(lab, pair, keeper, waiting, read):
    """The cap as low as the estate's file can say it: 256 MiB."""
    primary, spec = pair.primary(), lab.spec()
    low = json.dumps({"estate_spec": {**spec, "backup": {**spec["backup"], "wal_queue_mb": 256}}})
    lab.playbook("backups", "-e", low)
    cut(lab, primary, keeper, "out")
    try:
        # As after a promotion: a history goes before all segments, and hides from pgBackRest how much waits.
        lab.ssh(primary, f"cd {pair.sql(primary, 'SHOW data_directory')}/pg_wal && {PENDING}")
        for _segment in range(24):
            pair.sql(primary, SEGMENT)
        # Both stores do not answer: what is pushed first takes 18 times io-timeout in each.
        waiting("WAL is dropped", lambda: int(pair.sql(primary, WAITING)) < 16, timeout=600)
        pair.sql(primary, "CREATE TABLE IF NOT EXISTS estate_cap (id int); INSERT INTO estate_cap VALUES (1)")
    finally:
        lab.ssh(primary, "nft delete table inet cut")
    waiting("WAL has arrived", lambda: pair.sql(primary, WAITING) == "0", timeout=300)
    pair.sql(primary, SEGMENT)
    waiting("it goes on", lambda: pair.sql(primary, WAITING) == "0", timeout=120)
    assert "No WAL was dropped at the queue's cap" in lab.playbook("verify", check=False).output
    told = read()
    assert {"backup.1.gap", "backup.2.gap"} <= failing(told)
    pair.sql(primary, "INSERT INTO estate_cap VALUES (2)")
    for _run in range(2):
        short = pair.play("restore", pair.confirm, "to=latest", check=False)
        assert short.code != 0, "PostgreSQL takes the hole for the end of the log"
        assert "is in no store" in short.output
    pair.play("restore", pair.confirm, "back=true")
    assert pair.sql(primary, "SELECT count(*) FROM estate_cap WHERE id = 2") != "0", "nothing is lost by the way back"
    lab.playbook("backup")
    assert failing(read()) == set()
    lab.playbook("verify")
    lab.playbook("backups")
    last = pair.sql(primary, "SELECT count(*) FROM estate_cap")
    pair.play("restore", pair.confirm, "to=latest")
    assert pair.sql(primary, "SELECT count(*) FROM estate_cap") == last
    pair.play("restore", pair.confirm, "finish=true")


def test_rotated_passwords_reach_backups_points_and_the_kit(lab, pair, keeper):
    kit = f"{STORE}/kit/estate.age"
    before = lab.ssh(keeper, f"sha256sum {kit}")
    lab.playbook("rotate_secrets", "-e", pair.confirm)
    assert lab.ssh(keeper, f"sha256sum {kit}") != before
    assert lab.playbook("onboard").changed_tasks() == []
    lab.ssh(lab.group("app")[0], "systemctl start estate-filestore-point", timeout=600)


def test_after_a_lost_primary_backups_go_on_and_restore_onto_the_new_timeline(lab, pair, keeper, waiting, read):
    old = pair.primary()
    new = pair.standby(old)
    pair.power("kill", old)
    try:
        lost = pair.play("failover", f"lost={old}", pair.confirm, check=False)
        if lost.code:
            assert "accept_data_loss=" in lost.output, lost.output[-3000:]
            position = lost.output.partition("accept_data_loss=")[2].split()[0].strip('".,')
            pair.play("failover", f"lost={old}", pair.confirm, f"accept_data_loss={position}")
        assert pair.primary() == new
        # Each store asks the lost host first, for three minutes.
        lab.ssh(keeper, "systemctl start estate-backup@diff", timeout=900)
        told = read()
        assert failing(told) == set(), "whatever the lost one had not archived, the new backup is past it"
        pair.sql(new, "CREATE TABLE estate_lost AS SELECT 1 AS id")
        moment = pair.sql(new, "SELECT clock_timestamp()")
        pair.sql(new, "INSERT INTO estate_lost VALUES (2)")
    finally:
        pair.power("start", old)
    waiting("the lost host is up", lambda: lab.ssh(old, "true") == "", timeout=120)
    pair.rejoin(old)
    pair.play("restore", pair.confirm, f"to='{moment}'")
    assert pair.sql(new, "SELECT count(*) FROM estate_lost") == "1"
    pair.play("restore", pair.confirm, "finish=true")
    lab.playbook("backup")
    assert lab.playbook("onboard").changed_tasks() == []
