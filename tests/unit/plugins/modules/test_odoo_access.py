# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""odoo_access as Ansible runs it: options in, result out."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.retailerp.estate.plugins.module_utils.odoo.client import OdooUnreachable
from ansible_collections.retailerp.estate.plugins.modules import odoo_access

PASSWORD, SECRET = "c4nary-password", "c4nary-secret"
OPTIONS = {
    "urls": ["http://127.0.0.1:8069"],
    "series": "14.0",
    "database": "shop",
    "password": PASSWORD,
    "oidc": {
        "tenant_id": "11111111-2222-3333-4444-555555555555",
        "client_id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "client_secret": SECRET,
        "issuer": "https://login.test/t/v2.0",
        "authorize": "https://login.test/t/authorize",
        "token": "https://login.test/t/token",
        "jwks": "https://login.test/t/keys",
        "redirect": "https://shop.test/auth_oauth/signin",
    },
    "roles": [{"name": "store", "app_role": "Store.Staff", "groups": ["base.group_user"]}],
}


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the module against an Odoo that does not answer; its exit code, result and whole output."""

    def silent(urls, **where):
        assert (urls, where["password"]) == (OPTIONS["urls"], PASSWORD)
        raise OdooUnreachable("No Odoo answers")

    monkeypatch.setattr(odoo_access, "connect", silent)

    def call(**more):
        with patch_module_args({**OPTIONS, **more}), pytest.raises(SystemExit) as ended:
            odoo_access.main()
        output = capsys.readouterr().out
        return ended.value.code, json.loads(output), output

    return call


def test_check_mode_on_a_bare_host_tells_what_is_to_be_made_and_no_secret(run):
    code, result, output = run(_ansible_check_mode=True)
    assert code == 0
    assert result["changed"]
    made = [change["resource"] for change in result["changes"]]
    assert made[-3:] == ["role store", "sign-in provider Entra", "client secret of Entra"]
    assert SECRET not in output
    assert PASSWORD not in output
    assert any(control["state"] == "fail" for control in result["controls"])


def test_without_check_mode_a_silent_odoo_is_an_error(run):
    code, result, _output = run()
    assert code == 1
    assert result["msg"] == "No Odoo answers"
