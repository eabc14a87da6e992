# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make bench` prints of a recorded run; Ansible's commands are replaced by ones that only say they ran."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[3] / "tests" / "bench" / "onboard.py"
ROW = {"ok": 20, "changed": 0, "skipped": 3, "failures": 0, "unreachable": 0}


def record(**changed):
    """The report of a run over two hosts; `changed` says how many changes a host had."""
    hosts = {name: {**ROW, "changed": changed.get(name, 0)} for name in ("app1", "db1", "localhost")}
    tasks = [{"name": "Files", "hosts": {"app1": {}, "db1": {}}}]
    return {
        "stats": hosts,
        "plays": [{"name": "Plan", "seconds": 0.4, "tasks": []}, {"name": "Odoo", "seconds": 12.3, "tasks": tasks}],
    }


@pytest.fixture
def bench(tmp_path):
    """Runs the measurement on a record; (finished process, what was run)."""
    log = tmp_path / "log"

    def run(said, code=0):
        (tmp_path / "said").write_text(json.dumps(said))
        for name, act in (("ansible", "sleep 0.01"), ("ansible-playbook", f"cp {tmp_path}/said $ESTATE_RECORD")):
            (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {log}\n{act}\nexit {code}\n')
            (tmp_path / name).chmod(0o755)
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        command = [sys.executable, BENCH, "some/inventory"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        return done, log.read_text().splitlines()

    return run


def test_it_prints_hosts_and_phases(bench):
    done, ran = bench(record())
    assert done.returncode == 0, done.stderr
    empty, whole, _ratio, *rest = done.stdout.splitlines()
    assert empty.startswith("one empty task on every host: ")
    assert whole.startswith("no-change onboard, median of 3: ")
    assert rest[:3] == [
        "  app1         23 tasks (3 skipped)",
        "  db1          23 tasks (3 skipped)",
        "    12.3 s  Odoo",
    ]
    assert rest[3].startswith("no-change data, median of 3: ")
    assert ran == [
        *3 * ["ansible -i some/inventory all -m ansible.builtin.ping"],
        *3 * ["ansible-playbook -i some/inventory retailerp.estate.onboard"],
        *3 * ["ansible-playbook -i some/inventory retailerp.estate.data"],
    ]


def test_a_run_that_changed_something_is_no_measurement(bench):
    done, _ran = bench(record(db1=2))
    assert done.returncode != 0
    assert "no-change" not in done.stdout
    assert "the estate was not converged: 2 changes; run onboard first" in done.stderr


def test_a_run_that_failed_is_none_either(bench):
    done, ran = bench(record(), code=2)
    assert done.returncode != 0
    assert done.stdout == ""
    assert len(ran) == 1
