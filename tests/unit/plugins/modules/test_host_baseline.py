# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""host_baseline and host_baseline_info as Ansible calls them, and what is done when a step fails or a run is killed."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline import Baseline, wanted_of
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_system import OWED, HostBaseline
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.modules import host_baseline, host_baseline_info


def line(path: str, **more) -> dict:
    common = {"id": f"x.{path.rsplit('/', 1)[-1]}", "title": "A line", "level": 1, "kind": "line", "path": path}
    return {**common, "lines": ["ours"], **more}


def called(module, capsys, **options) -> dict:
    with patch_module_args(options), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


def test_an_audit_names_what_is_missing_and_changes_nothing(tmp_path, capsys):
    result = called(host_baseline_info, capsys, controls=[line(f"{tmp_path}/a")])
    assert [(one["id"], one["state"]) for one in result["controls"]] == [("x.a", "fail")]
    assert result["changed"] is False
    assert list(tmp_path.iterdir()) == []


def test_check_mode_foretells_the_exact_content(tmp_path, capsys):
    result = called(
        host_baseline, capsys, controls=[line(f"{tmp_path}/a")], _ansible_check_mode=True, _ansible_diff=True
    )
    assert result["changed"] is True
    (diff,) = result["diff"]
    assert diff["after"].endswith("\nours\n")
    assert diff["before"] == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", [host_baseline, host_baseline_info])
def test_what_is_no_control_is_refused(module, capsys):
    result = called(module, capsys, controls=[{"id": "x.y", "title": "t", "level": 1, "kind": "regedit"}])
    assert result["failed"] is True
    assert "no kind of control" in result["msg"]


class Host(System):
    """This machine, but for owners and programs: what is written goes below a temporary directory."""

    def __init__(self, *failing: str) -> None:
        super().__init__()
        self.ran: list[list[str]] = []
        self.failing = failing
        self.owed: bytes | None = None

    def state(self, path):
        seen = super().state(path)
        return type(seen)(seen.kind, seen.content, 0, 0, seen.mode) if seen.kind == "file" else seen

    def write(self, path, content, uid, gid, mode):
        if path == OWED:
            self.owed = content
        else:
            with open(path, "wb") as file:
                file.write(content)

    def run(self, argv, stdin=None, timeout_s=0):
        if argv[0] in ("systemctl", "dpkg-query", "auditctl", "sshd"):
            return 1, "", ""
        self.ran.append(argv)
        return (1, "", "no") if argv[0] in self.failing else (0, "", "")

    def make_private(self, path):
        pass

    def exists(self, path):
        return self.owed is not None if path == OWED else super().exists(path)

    def read(self, path):
        return self.owed if path == OWED else super().read(path)

    def remove(self, path):
        if path == OWED:
            self.owed = None
        else:
            super().remove(path)


def baseline(host: Host, *controls: dict) -> HostBaseline:
    return HostBaseline(Baseline(wanted_of(list(controls), 2, False)), host)


def test_a_step_that_fails_leaves_what_worked_and_is_told(tmp_path):
    """The checker refuses one file; the other one is written, and nothing of the refused one is left."""
    host = Host("visudo")
    refused = line(f"{tmp_path}/sudoers", check=["visudo", "-f", "%s"])
    capability = baseline(host, refused, line(f"{tmp_path}/other"))
    with pytest.raises(EstateError, match=r"`visudo -f .*/\.estate-sudoers` ended with 1: no"):
        capability.apply(capability.plan(capability.read()))
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_command_that_did_not_run_is_owed_to_the_next_run(tmp_path):
    host = Host("augenrules")
    capability = baseline(host, line(f"{tmp_path}/rules", run=["augenrules", "--load"]))
    with pytest.raises(EstateError, match="augenrules"):
        capability.apply(capability.plan(capability.read()))
    assert json.loads(host.owed) == [["augenrules", "--load"]]
    (change,) = capability.plan(capability.read())
    assert change.resource == "command augenrules --load"
    host.failing = ()
    capability.apply([change])
    assert host.owed is None
    assert capability.plan(capability.read()) == []


def test_what_would_take_others_along_is_not_removed():
    host = Host()
    host.run = lambda argv, *_more: (0, "Purg telnet [1]\nPurg shop-tools [2]\n" if "--simulate" in argv else "", "")
    capability = baseline(host)
    with pytest.raises(EstateError, match="it would take shop-tools along"):
        capability._only_these_go(["telnet"])
