# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery points on real hosts: taken, listed, restored; and everything that must not be possible.

They need an estate with backups (estate_spec.backup). The database's half is tested in test_backup.py; a point here
takes the label as it is told.
"""

from __future__ import annotations

import collections
import json
import subprocess
import time

import pytest

HOME = "/etc/estate/filestore"
RESTIC = (
    f"restic --quiet --repository-file {HOME}/repository --password-file {HOME}/key --cacert {HOME}/ca.pem "
    "--cache-dir /var/cache/retailerp-estate/restic "
)
LABEL = "20261128-005000F"
JOB = "(SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'autovacuum_job' AND model = 'ir.cron')"


@pytest.fixture(scope="module")
def plan(lab):
    found = lab.plan()
    if not any(host["filestore"] for host in found["hosts"].values()):
        pytest.skip("this estate has no backups")
    lab.playbook("filestore")
    return found


@pytest.fixture(scope="module")
def app(plan):
    return next(name for name, host in plan["hosts"].items() if host["filestore"])


@pytest.fixture(scope="module")
def keeper(plan):
    return next(name for name, host in plan["hosts"].items() if host["filestore_gate"])


@pytest.fixture(scope="module")
def directory(plan, app):
    return plan["hosts"][app]["filestore"]["directory"]


@pytest.fixture(scope="module")
def query(lab, plan):
    """A statement in Odoo's database, as the superuser of whichever server is the primary."""
    name = plan["hosts"][lab.group("app")[0]]["odoo"]["db"]["name"]
    return lambda text: lab.sql(lab.primary(), text, database=name)


def names(lab, app):
    result, _shown = lab.module(app, "retailerp.estate.filestore_backup_info", {"ca_file": f"{HOME}/ca.pem"})
    return [point["name"] for point in result["points"]]


def take(lab, name, **kwargs):
    return lab.playbook("point", "-e", f"label={LABEL}", "-e", f"point={name}", **kwargs)


def test_where_points_go_is_converged_in_few_tasks(lab, plan):
    done = lab.playbook("filestore")
    assert done.changed_tasks() == []
    assert set(done.stats().values()) == {0}
    ran = collections.Counter(
        host
        for play in done.result["plays"]
        for task in play["tasks"]
        # The role's own; Ansible adds one in which it validates the role's arguments.
        if "filestore_backup : " in task["name"] and "Validating arguments" not in task["name"]
        for host, outcome in task["hosts"].items()
        if not outcome.get("skipped")
    )
    assert ran, "the record names the role's tasks"
    assert max(ran.values()) <= 8, ran
    assert lab.playbook("filestore", "--check").changed_tasks() == []


def test_a_point_is_taken_once_and_listed(lab, app):
    name = f"t{time.time_ns()}"
    assert take(lab, name, check=False).code == 0
    assert name in names(lab, app)
    assert take(lab, name).changed_tasks() == []
    told = lab.playbook("points", "-e", f"point={name}").output
    assert "estate_spec" in told
    assert "BEGIN AGE" not in told
    assert "estate_spec" in lab.playbook("points", "-e", "point=latest").output


def test_a_point_asks_for_a_backup_of_the_database(lab, plan):
    run = lab.playbook("point", check=False)
    assert run.code != 0
    assert "name the backup of the database" in run.output


def test_the_application_host_removes_and_overwrites_nothing(lab, app, keeper):
    """With all it has: its address, its password, its key, and root."""
    take(lab, f"t{time.time_ns()}")
    before = json.loads(lab.ssh(app, f"{RESTIC} snapshots --json"))
    ids = [one["id"] for one in before]
    lab.ssh(app, f"{RESTIC} forget {ids[-1]}", check=False)
    lab.ssh(app, f"{RESTIC} forget --prune {ids[-1]}", check=False)
    assert [one["id"] for one in json.loads(lab.ssh(app, f"{RESTIC} snapshots --json"))] == ids
    ask = (
        "import re,sys,ssl,base64,urllib.parse,urllib.request as u,urllib.error as e\n"
        f"where=open('{HOME}/repository').read().strip()[5:]\n"
        "s=urllib.parse.urlsplit(where); user,pw=s.username,urllib.parse.unquote(s.password)\n"
        f"c=ssl.create_default_context(cafile='{HOME}/ca.pem')\n"
        "def ask(method,what,data=None,path=s.path):\n"
        "  r=u.Request(f'https://{s.hostname}:{s.port}{path}{what}',method=method,data=data)\n"
        "  r.add_header('Authorization','Basic '+base64.b64encode(f'{user}:{pw}'.encode()).decode())\n"
        "  try: return u.urlopen(r,context=c,timeout=20).status\n"
        "  except e.HTTPError as err: return err.code\n"
        f"print([ask('DELETE','snapshots/{ids[0]}'), ask('POST','snapshots/{ids[0]}',b'x'), ask('DELETE','config'),"
        " ask('POST','config',b'x'), ask('DELETE',''), ask('GET','config',path='/other/')])\n"
    )
    refused = json.loads(lab.ssh(app, "python3 -", stdin=ask))
    assert all(status in (403, 404, 405) for status in refused), refused
    assert refused[0] == refused[1] == 403
    lab.ssh(app, f"{RESTIC} check --read-data", timeout=600)


def test_odoos_collection_waits_for_the_point(lab, app, query, directory, waiting):
    """A file that is due to be removed stays until the snapshot is done; writers go on meanwhile."""
    lab.ssh(app, f"dd if=/dev/urandom of={directory}/big bs=1M count=400 status=none && chown 101:101 {directory}/big")
    try:
        with subprocess.Popen(
            [
                lab.root / ".venv/bin/ansible-playbook",
                "-i",
                lab.inventory,
                "retailerp.estate.point",
                "-e",
                f"label={LABEL}",
            ],
            cwd=lab.root,
            env=lab.environment(),
            stdout=subprocess.DEVNULL,
        ) as run:
            ours = "state LIKE 'idle in%' AND application_name LIKE 'retailerp%'"
            held = f"SELECT count(*) FROM pg_stat_activity WHERE {ours}"
            waiting("the pause", lambda: query(held) != "0", timeout=120, every=0.2)
            locked = query(f"BEGIN; SELECT id FROM ir_cron WHERE id = {JOB} FOR UPDATE SKIP LOCKED; ROLLBACK")
            assert locked == "", "a worker of Odoo would take the job"
            first = "(SELECT min(id) FROM ir_attachment)"
            query(f"SET lock_timeout = '5s'; UPDATE ir_attachment SET write_date = now() WHERE id = {first}")
            assert run.wait(600) == 0
        assert query(held) == "0"
    finally:
        lab.ssh(app, f"rm -f {directory}/big")


@pytest.mark.parametrize("when", [0.0, 1.0, 3.0])
def test_a_point_that_is_killed_is_none_and_lets_go(lab, app, query, waiting, when):
    known = names(lab, app)
    name = f"t{time.time_ns()}"

    def kill():
        time.sleep(when)
        lab.ssh(app, "pkill -KILL -x restic; pkill -KILL -fx '/usr/bin/python3[.0-9]*'", check=False)

    lab.killed(
        "TASK [retailerp.estate.filestore_backup : Take",
        1,
        "point",
        "-e",
        f"label={LABEL}",
        "-e",
        f"point={name}",
        first=kill,
    )
    listed = names(lab, app)
    assert set(listed) - set(known) <= {name}, "nothing but the point itself, whole"
    waiting(
        "the server to let go",
        lambda: query(f"BEGIN; SELECT id FROM ir_cron WHERE id = {JOB} FOR UPDATE SKIP LOCKED; ROLLBACK") != "",
    )
    take(lab, name)
    assert name in names(lab, app)


def test_what_the_filestore_lost_comes_back(lab, app, directory, plan):
    name = f"t{time.time_ns()}"
    take(lab, name)
    # What no row names is Odoo's to collect, and in no point.
    named = lab.sql(lab.primary(), "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname ~ '^[0-7]'")
    lab.ssh(
        app,
        f"cd {directory} && cat >/tmp/was"
        " && xargs sha1sum </tmp/was >/tmp/sums && xargs rm </tmp/was"
        " && broken=$(find . -type f -path './a*/*' | head -1) && echo broken >>$broken",
        stdin=named + "\n",
    )
    restored = lab.playbook("restore_files", "-e", f"point={name}")
    assert restored.stats()[app] == 1
    lab.ssh(app, f"cd {directory} && sha1sum --quiet -c /tmp/sums")
    assert lab.playbook("restore_files", "-e", f"point={name}").changed_tasks() == []


def test_an_unreachable_gate_is_told_at_once(lab, app, keeper):
    lab.ssh(keeper, "systemctl stop estate-filestore-gate")
    try:
        began = time.monotonic()
        run = take(lab, f"t{time.time_ns()}", check=False)
        assert run.code != 0
        assert "nobody answers at the gate" in run.output
        assert time.monotonic() - began < 60
    finally:
        lab.ssh(keeper, "systemctl start estate-filestore-gate")


def test_the_keeper_takes_its_turn(lab, keeper):
    lab.ssh(keeper, "systemctl start estate-filestore-keeper", timeout=300)
    result = json.loads(lab.ssh(keeper, "cat /var/lib/estate-keeper/result.json"))
    assert result["ok"], result
    assert result["points"] > 0


@pytest.fixture
def pack(lab, plan, keeper):
    """The host and the path of a pack of the repository, wherever points lie; the lab's S3 keeps objects as files."""
    store = plan["hosts"][keeper]["filestore_gate"]["store"]
    host, folder = keeper, store["directory"]
    if folder is None:
        host, folder = "ops1", f"/var/lib/lab/s3/{store['remote'].partition(':')[2]}"
    path = lab.ssh(host, f"find {folder} -path '*/data/*' -type f -size +1k | head -1").strip()
    assert path, f"{host} has no pack below {folder}"
    return host, path


def test_a_damaged_store_fails_the_keeper_and_verify_tells(lab, keeper, pack):
    host, path = pack
    lab.ssh(host, f"cp -a {path} /root/pack && truncate -s -1 {path}")
    try:
        lab.ssh(keeper, "systemctl start estate-filestore-keeper", check=False, timeout=300)
        assert not json.loads(lab.ssh(keeper, "cat /var/lib/estate-keeper/result.json"))["ok"]
        assert lab.ssh(keeper, "systemctl is-failed estate-filestore-keeper", check=False).strip() == "failed"
        verified = lab.playbook("verify", check=False)
        assert verified.code != 0
        assert "filestore.keeper.last: observed" in verified.output
    finally:
        # With owner and extended attributes: the object store keeps an object's sums there.
        lab.ssh(host, f"cp -a /root/pack {path} && rm /root/pack")
        lab.ssh(keeper, "systemctl start estate-filestore-keeper", timeout=300)
    assert "filestore.keeper.last: observed" not in lab.playbook("verify", check=False).output


def test_a_former_keeper_loses_what_it_could_delete_with(lab, keeper):
    """Another host, as it looks after the keeper moved away from it."""
    former = next(name for name in lab.group("cache") if name != keeper)
    home, units = "/etc/estate/filestore-gate", "/etc/systemd/system"
    lab.ssh(
        former,
        f"mkdir -p {home} /etc/sysusers.d"
        f" && echo x | tee {home}/keeper.key {home}/store.conf >/etc/sysusers.d/estate-filestore.conf"
        f" && printf '[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' >{units}/estate-filestore-keeper.service"
        " && printf '[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n'"
        f" >{units}/estate-filestore-keeper.timer"
        " && systemctl daemon-reload && systemctl enable --quiet --now estate-filestore-keeper.timer",
    )
    assert {host for host, _task in lab.playbook("filestore").changed_tasks()} == {former}
    # That host adds points by a timer of its own, which stays.
    assert lab.ssh(former, f"find {home} {units} -type f -path '{home}/*' -o -name '*filestore-keeper*'").strip() == ""
    assert lab.ssh(former, "systemctl is-active estate-filestore-keeper.timer", check=False).strip() == "inactive"
    assert lab.playbook("filestore").changed_tasks() == []


def test_no_secret_is_an_argument_of_the_gate(lab, keeper):
    secrets = lab.secrets()
    shown = lab.ssh(
        keeper,
        "cat /proc/*/cmdline | tr '\\0' ' '; cat /proc/*/environ 2>/dev/null | tr '\\0' ' '; journalctl -b -o cat",
    )
    for name in ("filestore_gate", "filestore_key"):
        assert secrets[name] not in shown, name
