# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release's identity follows everything it is made of, and its containers hold no secret."""

from __future__ import annotations

import copy
import json

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.docker.model import release_from
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.release import build

ADDONS = {"estate_session_redis/__init__.py": "1" * 64}


@pytest.fixture
def made(plan, secrets):
    """Build with some inputs changed."""

    def make(addons=None, ca="CA", plan_changes=None, **secret_changes):
        changed = {**copy.deepcopy(plan), **(plan_changes or {})}
        return build(changed, "shop", {**secrets, **secret_changes}, ca, addons or ADDONS)

    return make


def test_the_same_inputs_make_the_same_release(made):
    assert made() == made()


@pytest.mark.parametrize(
    "change",
    [
        {"addons": {"estate_session_redis/__init__.py": "2" * 64}},
        {"ca": "another CA"},
        {"database": "rotated"},
        {"master": "rotated"},
        {"plan_changes": {"workers": 5}},
        {"plan_changes": {"image": "registry.example/odoo@sha256:" + "2" * 64}},
        {"plan_changes": {"extra_hosts": {"db1": "10.77.0.99"}}},
    ],
)
def test_whatever_changes_makes_another_release(made, change):
    assert made(**change)["release"] != made()["release"]


def test_who_may_sign_in_is_no_matter_of_the_release(made, plan):
    other = {"oidc": {**plan["oidc"], "client_id": "another"}, "business_roles": []}
    assert made(plan_changes=other)["release"] == made()["release"]


def test_nothing_secret_is_in_what_the_engine_is_told(made, secrets):
    told = json.dumps(made()["containers"])
    assert not [secret for secret in secrets.values() if secret in told]


def test_web_does_not_schedule_and_cron_does_not_serve(made):
    web, gevent, cron = made()["containers"]
    assert "max_cron_threads = 0" in made()["conf"]
    assert "--no-http" in cron["command"]
    assert cron["ports"] == []
    assert gevent["command"][:2] == ["odoo", "gevent"]
    assert {port["port"] for port in web["ports"]} == {8069, 8169}


def test_the_health_of_cron_is_a_program_python_takes(made):
    python, option, program = made()["containers"][2]["health"]["command"]
    assert (python, option) == ("python3", "-c")
    compile(program, "health", "exec")


def test_container_release_takes_it(made):
    one = made()
    defaults = {"cpus": None, "pids_limit": 512}
    for container in one["containers"]:
        health = container["health"]
        health.setdefault("http", None)
        health.setdefault("command", None)
    release = release_from(
        {
            "name": "shop-odoo",
            "release": one["release"],
            "network": {"name": "estate", "subnet": "172.30.1.0/24"},
            "slots": 2,
            "overlap_s": 12,
            "config_root": one["root"],
            "containers": [{**defaults, **container} for container in one["containers"]],
        }
    )
    assert [container.name for container in release.containers] == ["web", "gevent", "cron"]
