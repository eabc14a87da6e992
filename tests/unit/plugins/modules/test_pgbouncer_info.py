# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible calls it: on a host where nobody listens."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.retailerp.estate.plugins.modules import pgbouncer_info

OPTIONS = {
    "host": "db1",
    "address": "127.0.0.1",
    "port": 1,
    "databases": ["shop", "postgres"],
    "user": "shop_application",
    "password": "canary-password",
    "ca_file": "/nowhere/ca.pem",
}


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_pooler_that_is_not_there_is_a_control_that_fails(check_mode, capsys):
    with patch_module_args({**OPTIONS, "_ansible_check_mode": check_mode}), pytest.raises(SystemExit) as left:
        pgbouncer_info.main()
    shown = capsys.readouterr().out
    result = json.loads(shown)
    assert left.value.code == 0
    assert result["changed"] is False
    (login,) = [control for control in result["controls"] if control["id"] == "pgbouncer.login"]
    assert login["state"] == "fail"
    assert sorted(login["observed"]) == ["postgres", "shop"]
    assert "canary-password" not in shown.replace(json.dumps(result.get("invocation")), "")


def test_who_is_logged_in_is_asked_over_the_socket(capsys):
    with patch_module_args({**OPTIONS, "unused": ["shop_application_next"]}), pytest.raises(SystemExit) as left:
        pgbouncer_info.main()
    assert left.value.code != 0
    assert "socket" in json.loads(capsys.readouterr().out)["msg"]
