# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""container_release on a real engine: a lab host that runs containers, with Traefik's image as the thing released.

ESTATE_INVENTORY, ESTATE_RELEASE_HOST and ESTATE_RELEASE_IMAGE choose another inventory, host and image.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INVENTORY = os.environ.get("ESTATE_INVENTORY", str(ROOT / "inventories/lab"))
HOST = os.environ.get("ESTATE_RELEASE_HOST", "app1")
IMAGES = ROOT / "inventories/lab/group_vars/all/images.yml"
PLAIN = ["--ping=true", "--ping.entrypoint=web", "--entrypoints.web.address=:8080"]
OLD, NEW = "a" * 16, "b" * 16
NAME = "release-test"
LABEL = f"retailerp.estate.release-name={NAME}"


def image() -> str:
    """The image that is released."""
    return os.environ.get("ESTATE_RELEASE_IMAGE") or yaml.safe_load(IMAGES.read_text())["lab_images"]["traefik"]


def ansible(module: str, arguments: dict, *, check: bool = False) -> dict:
    """Run a module on the host; its result."""
    command = [
        str(Path(sys.executable).with_name("ansible")),
        HOST,
        "-i",
        INVENTORY,
        "-b",
        "-m",
        module,
        "-a",
        json.dumps(arguments),
    ]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"}
    if (ROOT / ".lab/vault_password").exists():
        environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(ROOT / ".lab/vault_password")
    done = subprocess.run(
        [*command, *(["--check"] if check else [])],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
    )
    assert "=> " in done.stdout, done.stdout + done.stderr
    status, _arrow, result = done.stdout.partition("=> ")
    return {"failed": "FAILED" in status, **json.loads(result)}


def shell(command: str, stdin: str = "") -> str:
    """What a command prints as root on the host."""
    there = ["sh", "-c", command]
    if HOST != "localhost":
        there = ["ssh", "-F", str(ROOT / ".lab/ssh_config"), HOST, f"sudo -n sh -c {shlex.quote(command)}"]
    return subprocess.run(there, input=stdin, capture_output=True, text=True, check=True).stdout


def engine(code: str):
    """Run code with the host's own SDK (`d` is its client); what it assigns to `out`."""
    script = f"import docker, json; d = docker.from_env(); out = None\n{code}\nprint(json.dumps(out))"
    return json.loads(shell("/usr/bin/python3 -", script).splitlines()[-1])


def containers() -> dict:
    """Name, id, state and start of every container of the release name."""
    return engine(
        f"out = {{c.name: [c.id, c.status, c.attrs['State']['StartedAt']] for c in "
        f"d.containers.list(all=True, filters={{'label': {LABEL!r}}})}}"
    )


def release(hash: str = OLD, *, check: bool = False, slots: int = 2, **changed) -> dict:
    """Converge one container, web, in a release of this hash."""
    address = "127.0.0.1" if HOST == "localhost" else "{{ ansible_host }}"
    container = {
        "name": "web",
        "image": image(),
        "user": "65532:65532",
        "command": PLAIN,
        "memory_mb": 96,
        "pids_limit": 64,
        "ports": [
            {"slot": slot, "address": address, "port": 18080 + number, "container_port": 8080}
            for number, slot in enumerate("ab"[:slots])
        ],
        "health": {"http": {"port": 8080, "path": "/ping"}, "timeout_s": 20, "interval_s": 1},
        **changed,
    }
    return ansible(
        "retailerp.estate.container_release",
        {
            "name": NAME,
            "release": hash,
            "network": {"name": NAME, "subnet": "172.31.250.0/24"},
            "slots": slots,
            "config_root": f"/tmp/{NAME}",
            "containers": [container],
        },
        check=check,
    )


def clean() -> None:
    """Take everything of this test away."""
    engine(
        f"[c.remove(force=True) for c in d.containers.list(all=True, filters={{'label': {LABEL!r}}})]\n"
        f"[n.remove() for n in d.networks.list(names=[{NAME!r}])]"
    )
    shell(f"rm -rf /tmp/{NAME}")


@pytest.fixture(autouse=True)
def _nothing_there():
    clean()
    yield
    clean()


def test_bare_then_converged_then_nothing_to_do():
    bare = release(check=True)
    assert bare["changed"]
    assert f"container {NAME}-web-a" in [change["resource"] for change in bare["changes"]]
    assert containers() == {}

    first = release()
    assert first["changed"], first
    assert first["serving"]["containers"] == [{"name": f"{NAME}-web-a", "image": image(), "healthy": True}]
    assert {control["state"] for control in first["controls"]} <= {"pass", "exempt"}

    second = release()
    assert (second["changed"], second["changes"]) == (False, [])


def test_the_container_has_no_rights():
    release()
    host, config = engine(f"c = d.containers.get('{NAME}-web-a'); out = [c.attrs['HostConfig'], c.attrs['Config']]")
    assert (host["CapDrop"], host["CapAdd"] or [], host["Privileged"]) == (["ALL"], [], False)
    assert host["ReadonlyRootfs"]
    assert host["Memory"] == 96 * 1024 * 1024
    assert config["User"] == "65532:65532"
    status = engine(
        f"c = d.containers.get('{NAME}-web-a'); top = c.top(ps_args='-o pid')['Processes'][0][0]\n"
        "out = dict(line.split(':\\t', 1) for line in open(f'/proc/{top}/status') if ':\\t' in line)"
    )
    assert int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"


def test_a_new_release_takes_the_other_slot_and_the_old_one_goes():
    release()
    result = release(NEW)
    assert result["serving"]["slot"] == "b", result
    assert list(containers()) == [f"{NAME}-web-b"]


@pytest.mark.parametrize(
    "bad", [{"command": ["--no-such-flag"]}, {"health": {"http": {"port": 8080, "path": "/no"}, "timeout_s": 4}}]
)
def test_a_release_that_fails_leaves_the_old_one_untouched(bad):
    release()
    before = containers()
    result = release(NEW, **bad)
    assert result["failed"]
    assert "did not become healthy" in result["msg"]
    assert "this serves as before" in result["msg"]
    assert containers() == before
    assert release()["changed"] is False


def test_with_one_slot_the_old_one_is_started_again():
    release(slots=1)
    before = containers()
    result = release(NEW, slots=1, command=["--no-such-flag"])
    assert result["failed"]
    assert result["log"], "the failed container's own words belong in the result"
    (name, (id, status, started)), *more = containers().items()
    assert more == []
    assert (id, status) == (before[name][0], "running")
    assert started > before[name][2]
    assert release(slots=1)["changed"] is False


def test_drift_is_told_and_repaired():
    release()
    name = f"{NAME}-web-a"
    for harm, action in (
        (f"d.containers.get({name!r}).stop(timeout=1)", "start"),
        (f"d.containers.get({name!r}).pause()", "start"),
        (f"d.containers.get({name!r}).remove(force=True)", "create"),
    ):
        engine(harm)
        told = release(check=True)
        assert [(change["resource"], change["action"]) for change in told["changes"]] == [(f"container {name}", action)]
        assert [control["id"] for control in told["controls"] if control["state"] == "fail"]
        assert release()["changed"]
        assert list(containers()) == [name]


def test_other_limits_mean_another_container():
    release()
    engine(f"d.containers.get('{NAME}-web-a').update(mem_limit='80m')")
    told = release(check=True)
    assert f"containers.{NAME}.web.memory_mb" in [one["id"] for one in told["controls"] if one["state"] == "fail"]
    assert release()["serving"]["slot"] == "b"
    assert engine(f"out = d.containers.get('{NAME}-web-b').attrs['HostConfig']['Memory']") == 96 * 1024 * 1024


def test_a_restart_policy_changed_by_hand_is_named_and_what_serves_is_not_called_missing():
    release()
    engine(f"d.containers.get('{NAME}-web-a').update(restart_policy={{'Name': 'no'}})")
    told = release(check=True)
    failed = {one["id"]: one["observed"] for one in told["controls"] if one["state"] == "fail"}
    assert failed == {f"containers.{NAME}.web.settings": {"restart": "no"}}
    assert told["serving"]["containers"] == [{"name": f"{NAME}-web-a", "image": image(), "healthy": True}]
    assert release()["serving"]["slot"] == "b"


@pytest.mark.parametrize("slots", [1, 2])
def test_a_killed_run_is_completed_by_the_next(slots):
    release(slots=slots)
    never = {"health": {"http": {"port": 8080, "path": "/no"}, "timeout_s": 120}}
    run = subprocess.Popen(
        [sys.executable, "-c", f"import test_release as t; t.release({NEW!r}, slots={slots}, **{never!r})"],
        cwd=Path(__file__).parent,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while containers().get(f"{NAME}-web-b", [None, None])[1] != "running":
        assert time.monotonic() < deadline
    # The process on the host that waits for the new container's health.
    named = shell("pgrep -f '[p]ython3.*container_releas[e]' || true").split()
    pids = named or shell("pgrep -fx '[^ ]*python3'").split()
    shell(f"kill -9 {' '.join(pids)}")
    run.wait(timeout=60)
    assert len(containers()) == 2
    result = release(NEW, slots=slots)
    assert result["serving"]["slot"] == "b", result
    assert list(containers()) == [f"{NAME}-web-b"]


def test_files_of_releases_nobody_uses_go_but_the_one_before():
    names = ["1" * 16, "2" * 16, OLD, "keep"]
    shell("; ".join(f"mkdir -p /tmp/{NAME}/{name}; sleep 0.05" for name in names))
    result = release()
    assert f"directory /tmp/{NAME}/{names[0]}" in [change["resource"] for change in result["changes"]]
    assert shell(f"ls /tmp/{NAME}").split() == sorted(names[1:])
