# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""config_set on a real host: with systemd, over SSH, and with the connection at stake."""

from __future__ import annotations

import concurrent.futures
import subprocess
import time
from typing import Any

import pytest

SECRET = "canary-5d1f0c-of-config-set"
JOURNALS = "/var/lib/retailerp-estate/config_set"
UNIT = """[Unit]
Description=Configuration set under test
[Service]
ExecStartPre=/usr/bin/grep -q . /etc/estate-test/a.conf
ExecStart=/bin/sh -c 'cp /etc/estate-test/a.conf /run/estate-test.read && exec sleep infinity'
Restart=no
[Install]
WantedBy=multi-user.target
"""
# ExecReload takes the rules anew, as the estate's own firewall does.
DROPPING = """[Unit]
Description=Firewall under test
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/estate-test/drop.nft
ExecStop=/usr/sbin/nft "delete table inet estate_test"
[Install]
WantedBy=multi-user.target
"""
CHAIN = """table inet estate_test {{
  chain input {{
    type filter hook input priority -10; policy accept
    {rule}
  }}
}}
"""


@pytest.fixture
def host(lab):
    """The machine that is experimented on, left as it was found."""
    name = lab.group("edge")[0]
    yield name
    lab.ssh(
        name,
        "systemctl disable --now estate-test estate-test-drop 2>/dev/null;"
        "nft delete table inet estate_test 2>/dev/null;"
        "rm -rf /etc/estate-test /etc/systemd/system/estate-test*.service /run/estate-test.read;"
        f"rm -rf /etc/ssh/sshd_config.d/05-test.conf {JOURNALS}/estate-test*;"
        "systemctl daemon-reload; systemctl reload ssh",
    )


def module(lab, host: str, options: dict[str, Any], *flags: str) -> tuple[dict, str]:
    """One call of config_set: its result, and all that was printed."""
    return lab.module(host, "retailerp.estate.config_set", options, *flags)


def service(content: str, **options: Any) -> dict[str, Any]:
    """A set of a configuration, a secret, and a unit that reads the configuration when it starts."""
    files = [
        {"path": "/etc/estate-test/a.conf", "content": content},
        {"path": "/etc/estate-test/b.conf", "content": f"password {SECRET}\n", "secret": True},
        {"path": "/etc/systemd/system/estate-test.service", "content": UNIT},
    ]
    return {"name": "estate-test", "files": files, "units": [{"name": "estate-test"}], **options}


def test_a_set_is_converged_and_drift_is_told_and_mended(lab, host):
    bare, _shown = module(lab, host, service("one\n"), "--check", "--diff")
    assert bare["changed"]
    assert lab.ssh(host, "ls /etc/estate-test 2>&1 || true").strip().endswith("No such file or directory")
    first, _shown = module(lab, host, service("one\n"))
    assert [change["resource"] for change in first["changes"]] == [change["resource"] for change in bare["changes"]]
    assert lab.ssh(host, "cat /run/estate-test.read; systemctl is-enabled estate-test") == "one\nenabled\n"
    assert lab.ssh(host, "stat -c '%a %U' /etc/estate-test/b.conf") == "600 root\n"
    assert module(lab, host, service("one\n"))[0]["changed"] is False
    lab.ssh(host, "echo two > /etc/estate-test/a.conf; systemctl disable -q estate-test")
    drift, _shown = module(lab, host, service("one\n"), "--check")
    told = [(change["action"], change["resource"]) for change in drift["changes"]]
    assert told == [
        ("update", "file /etc/estate-test/a.conf"),
        ("restart", "unit estate-test.service"),
        ("enable", "unit estate-test.service"),
    ]
    assert {control["id"]: control["state"] for control in drift["controls"]} == {
        "config.estate-test.files": "fail",
        "config.estate-test.units": "fail",
    }
    module(lab, host, service("one\n"))
    assert module(lab, host, service("one\n"))[0]["changed"] is False


def test_what_the_unit_or_the_probe_refuses_is_put_back_and_nothing_secret_is_printed(lab, host):
    module(lab, host, service("one\n"))
    for bad in (service(""), service("two\n", probe={"command": ["false"], "timeout_s": 1})):
        result, shown = module(lab, host, bad, "-vvvv", "--diff")
        assert result["failed"], shown
        assert result["rolled_back"], shown
        assert SECRET not in shown
        assert lab.ssh(host, "cat /etc/estate-test/a.conf /run/estate-test.read") == "one\none\n"
        assert lab.ssh(host, "systemctl is-active estate-test") == "active\n"
        assert lab.ssh(host, f"ls -A {JOURNALS} | grep estate-test") == "estate-test.lock\n"
    assert SECRET not in lab.ssh(host, "journalctl --no-pager -o cat --since -5min")


@pytest.mark.drill
def test_killed_while_it_waits_for_the_probe_the_next_run_finishes_it(lab, host, waiting):
    module(lab, host, service("one\n"))
    hanging = service("two\n", probe={"command": ["sleep", "77"], "timeout_s": 100})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        started = pool.submit(module, lab, host, hanging)
        waiting("the probe to hang", lambda: lab.ssh(host, "pgrep -fx 'sleep 77' || true").strip(), 60)
        lab.ssh(host, "kill -9 $(ps -o ppid= -p $(pgrep -fx 'sleep 77')) $(pgrep -fx 'sleep 77')")
        assert started.result()[0]["failed"]
    assert lab.ssh(host, f"ls {JOURNALS}/estate-test/manifest.json").strip()
    told, _shown = module(lab, host, service("two\n"), "--check")
    assert [change["action"] for change in told["changes"]] == ["restart"], "the unit may run half a configuration"
    module(lab, host, service("two\n"))
    assert lab.ssh(host, "cat /run/estate-test.read") == "two\n"
    assert module(lab, host, service("two\n"))[0]["changed"] is False


def locked_out(lab, host: str, options: dict[str, Any], waiting) -> dict:
    """Apply a set that locks us out; returns the task's result after the host is reachable again by itself."""
    began = time.monotonic()
    result, shown = module(lab, host, options)
    assert result["failed"], shown
    waiting("the host to be reachable again by itself", lambda: lab.ssh(host, "true", timeout=10) == "", 60)
    assert time.monotonic() - began < 90
    waiting("the host to forget the change", lambda: "estate-test/" not in lab.ssh(host, f"ls -dF {JOURNALS}/* "), 30)
    return result


def dropping(rule: str) -> dict[str, Any]:
    """A firewall that comes back at boot, too."""
    files = [
        {"path": "/etc/estate-test/drop.nft", "content": CHAIN.format(rule=rule), "validate": "nft -c -f %s"},
        {"path": "/etc/systemd/system/estate-test-drop.service", "content": DROPPING},
    ]
    return {"name": "estate-test", "files": files, "units": [{"name": "estate-test-drop"}], "rollback_after_s": 20}


def left_of_the_firewall(lab, host: str) -> str:
    """Its rules, what brings them back, and the timer that takes them away, as far as they are there."""
    paths = "/etc/estate-test /etc/systemd/system/*estate-test* /etc/systemd/system/*.wants/*estate-test*"
    return lab.ssh(host, f"nft list tables | grep estate_test; ls {paths} 2>/dev/null || true")


@pytest.mark.drill
@pytest.mark.parametrize("rule", ["tcp dport 22 ct state new drop", "tcp dport 22 drop"], ids=["new", "every"])
def test_a_firewall_that_drops_ssh_is_taken_back_by_the_host(lab, host, waiting, rule):
    result = locked_out(lab, host, dropping(rule), waiting)
    assert "old configuration back" in result["msg"]
    assert left_of_the_firewall(lab, host) == ""


@pytest.mark.drill
def test_a_host_that_reboots_before_the_change_is_confirmed_goes_back_all_the_same(lab, host, waiting):
    def reboot_when_locked_out():
        machine = f"estate-lab-{host}"
        told = ["docker", "exec", machine, "test", "-e", f"{JOURNALS}/estate-test/acted"]
        waiting("the new firewall", lambda: subprocess.run(told, check=False).returncode == 0)
        subprocess.run(["docker", "restart", "--time", "2", machine], check=True, capture_output=True)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        rebooted = pool.submit(reboot_when_locked_out)
        locked_out(lab, host, dropping("tcp dport 22 drop"), waiting)
        rebooted.result()
    assert left_of_the_firewall(lab, host) == ""


@pytest.mark.drill
def test_an_ssh_configuration_that_refuses_us_is_taken_back_by_the_host(lab, host, waiting):
    user = lab.hosts[host]["ansible_user"]
    options = {
        "name": "estate-test",
        "files": [{"path": "/etc/ssh/sshd_config.d/05-test.conf", "content": f"DenyUsers {user}\n"}],
        "validate": ["sshd -t"],
        "units": [{"name": "ssh", "action": "reload"}],
        "rollback_after_s": 20,
    }
    result = locked_out(lab, host, options, waiting)
    assert "puts its old configuration back by itself within 20 s" in result["msg"]
    assert f"denyusers {user}" not in lab.ssh(host, "sshd -T")


@pytest.mark.drill
def test_a_change_that_locks_nobody_out_is_kept(lab, host):
    options = {
        "name": "estate-test",
        "files": [{"path": "/etc/ssh/sshd_config.d/05-test.conf", "content": "PrintLastLog no\n"}],
        "validate": ["sshd -t"],
        "units": [{"name": "ssh", "action": "reload"}],
        "rollback_after_s": 15,
    }
    result, shown = module(lab, host, options)
    assert result["changed"], shown
    assert not result["failed"], shown
    time.sleep(20)
    assert "printlastlog no" in lab.ssh(host, "sshd -T")
    assert module(lab, host, options)[0]["changed"] is False
