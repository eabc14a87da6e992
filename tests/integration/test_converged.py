# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A converged estate stays as it is, check mode names exactly what drifted, and verify names what does not hold."""

from __future__ import annotations

import pytest

# What someone may do behind Ansible: what it is, the host group, the command, the words that name it.
REDIS = "sed -i s/^maxmemory-policy.*/maxmemory-policy\\ noeviction/ /etc/redis/redis.conf"
SSH = "for f in /etc/ssh/sshd_config.d/*; do echo 'MaxAuthTries 20' >>$f; done"
KERNEL = "nft insert rule inet estate input tcp dport 4444 accept"
ROLE = "sudo -u postgres psql -qc 'alter role {id}_application createdb'"
DRIFT = (
    ("a setting of Redis", "cache", REDIS, "redis.conf"),
    ("a rule of the firewall in the kernel", "app", KERNEL, "estate-firewall"),
    ("a rule of SSH", "cache", SSH, "sshd_config.d"),
    ("a right of a database role", "db", ROLE, "{id}_application"),
)


@pytest.fixture(scope="module")
def converged(lab):
    """The estate, converged once for the tests of this file."""
    return lab.playbook("onboard")


def test_a_second_onboard_changes_nothing(lab, converged):
    again = lab.playbook("onboard")
    assert again.changed_tasks() == []
    assert set(again.stats().values()) == {0}


def test_the_data_tier_takes_few_tasks(lab, converged):
    done = lab.playbook("data")
    assert {host: count for host, count in done.stats("ok").items() if host in lab.group("db") and count > 10} == {}


def test_check_mode_on_a_converged_estate_tells_nothing(lab, converged):
    assert lab.playbook("onboard", "--check", "--diff").changed_tasks() == []


def test_check_mode_and_verify_name_exactly_the_drift_and_onboard_mends_it(lab, converged):
    retailer = lab.spec()["id"]
    drifted = set()
    for _what, group, command, _words in DRIFT:
        drifted.add(lab.group(group)[0])
        lab.ssh(lab.group(group)[0], command.format(id=retailer))
    lab.remove_containers(lab.group("app")[0], "cron")
    drifted.add(lab.group("app")[0])

    seen = lab.playbook("onboard", "--check", "--diff")
    assert {host for host, _task in seen.changed_tasks()} == drifted
    assert len(seen.changed_tasks()) == len(DRIFT) + 1

    verified = lab.playbook("verify", check=False)
    assert verified.code != 0
    for what, _group, _command, words in (*DRIFT, ("a container", "app", "", "cron")):
        assert words.format(id=retailer) in seen.output, f"check mode does not name {what}"
        assert words.format(id=retailer) in verified.output, f"verify does not name {what}"

    mended = lab.playbook("onboard")
    assert {host for host, _task in mended.changed_tasks()} == drifted
    assert lab.playbook("verify").changed_tasks() == []
