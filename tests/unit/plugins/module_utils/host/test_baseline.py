# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a host's baseline, with the controls as they are shipped: every one broken, named, mended, stable."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.host import baseline_files as own
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline import (
    OWED,
    Baseline,
    Exemption,
    controls,
    plan,
    wanted_of,
)
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_kinds import Daemon, Path
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_model import Seen, Wanted
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_options import baseline_of
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import FileState, UnitState
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.tests.unit.plugins.module_utils.host.baseline_host import (
    DATA,
    after,
    bare,
    broken,
)

TOLD = ("sshd", "daemon")
LEFT_ALONE = (
    "accounts.one_root",
    "accounts.roots_group",
    "accounts.one_group_zero",
    "accounts.groups",
    "accounts.shadow_group",
    "accounts.uids",
    "accounts.gids",
    "accounts.names",
    "accounts.group_names",
    "accounts.changed",
)


def converged(engine: bool, container: bool = False) -> tuple[Baseline, Seen]:
    """The whole baseline, and a host that is at it but for what other sets write."""
    baseline = Baseline(wanted_of(DATA, 2, engine))
    seen = bare(baseline.wanted, container)
    seen = after(seen, plan(baseline, seen))
    daemon: dict = {}
    for one in baseline.wanted:
        if one.kind == "daemon" and one["value"] is not None:
            *outer, last = one["key"].split(".")
            here = daemon
            for name in outer:
                here = here.setdefault(name, {})
            here[last] = one["value"]
    seen.files[Daemon.FILE] = FileState("file", json.dumps(daemon).encode(), 0, 0, 0o644)
    return baseline, seen


HOSTS = {engine: converged(engine) for engine in (False, True)}


def states(baseline: Baseline, seen: Seen) -> dict[str, str]:
    return {control.id: control.state for control in controls(baseline, seen)}


def failing(baseline: Baseline, seen: Seen) -> list[str]:
    return [id for id, state in states(baseline, seen).items() if state == "fail"]


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize("engine", [False, True])
def test_a_bare_host_is_at_the_baseline_after_one_round(engine, container):
    baseline, seen = converged(engine, container)
    assert plan(baseline, seen) == []
    assert failing(baseline, seen) == []


@pytest.mark.parametrize("id", [control["id"] for control in DATA])
def test_what_is_broken_is_named_mended_and_stable(id):
    control = next(one for one in DATA if one["id"] == id)
    baseline, seen = HOSTS[control.get("engine", True)]
    hurt = broken(seen, next(one for one in baseline.wanted if one.id == id))
    assert failing(baseline, hurt) == [id]
    changes = plan(baseline, hurt)
    if control["kind"] in TOLD or id in LEFT_ALONE:
        assert changes == []
        assert next(one.reason for one in controls(baseline, hurt) if one.id == id)
        return
    assert changes
    mended = after(hurt, changes)
    assert failing(baseline, mended) == []
    assert plan(baseline, mended) == []


def test_a_container_is_told_what_is_the_machines_and_never_changes_it():
    baseline, seen = converged(False, container=True)
    exempt = {one.id: one.reason for one in controls(baseline, seen) if one.state == "exempt"}
    assert {id.split(".")[0] for id in exempt} == {"kernel", "modules", "audit"}
    assert exempt["kernel.dmesg"] == "the kernel is the machine's: this host is a container"
    assert exempt["modules.sctp"] == "kernel modules are the machine's: this host is a container"
    assert exempt["audit.sudoers"] == exempt["audit.running"] == "no kernel of its own"
    assert "kernel." not in own.text_of(seen.files[own.SYSCTL])
    told = plan(baseline, broken(seen, next(one for one in baseline.wanted if one.id == "modules.sctp")))
    assert [change.resource for change in told] == [f"file {own.MODPROBE}"], "no module is taken out of the machine"


def test_forwarding_stays_on_where_containers_are():
    for engine, value in ((True, "1"), (False, "0")):
        _baseline, seen = HOSTS[engine]
        assert f"net.ipv4.ip_forward = {value}\n" in own.text_of(seen.files[own.SYSCTL])
    assert not [one["id"] for one in DATA if "bridge-nf" in str(one.get("key"))]


def exempted(expires: str, id: str = "sudo.log") -> tuple[Baseline, Seen]:
    baseline, seen = HOSTS[False]
    return Baseline(baseline.wanted, [Exemption(id, "kept elsewhere", "ops@example.com", expires)]), seen


def test_an_exemption_takes_a_control_out_and_says_who_answers():
    baseline, seen = exempted("2026-11-28")
    assert [change.resource for change in plan(baseline, seen)] == ["file /etc/sudoers.d/estate-baseline"]
    seen = after(seen, plan(baseline, seen))
    assert "logfile" not in own.text_of(seen.files["/etc/sudoers.d/estate-baseline"])
    told = next(one for one in controls(baseline, seen) if one.id == "sudo.log")
    assert (told.state, told.reason) == ("exempt", "kept elsewhere (ops@example.com, until 2026-11-28)")
    assert plan(baseline, seen) == []


def test_an_exemption_that_expired_fails_and_changes_nothing():
    baseline, seen = exempted("2026-11-27")
    seen = after(seen, plan(baseline, seen))
    assert failing(baseline, seen) == ["sudo.log"]
    assert plan(baseline, seen) == []
    told = next(one for one in controls(baseline, seen) if one.id == "sudo.log")
    assert told.reason == "the exemption of ops@example.com expired on 2026-11-27; renew it or take it out"


def test_a_file_whose_last_line_went_goes_too():
    baseline, seen = exempted("2027-01-01", "packages.needrestart_lists")
    (change,) = plan(baseline, seen)
    assert (change.resource, change.action) == ("file /etc/needrestart/conf.d/estate.conf", "delete")


def test_a_lower_level_keeps_less():
    few = Baseline(wanted_of(DATA, 1, False))
    assert not [one.id for one in few.wanted if one.id == "audit.installed"]
    assert [one.id for one in few.wanted if one.id == "ssh.permitrootlogin"]


def test_what_an_interrupted_run_owed_is_done_by_the_next():
    baseline, seen = HOSTS[False]
    (change,) = plan(baseline, replace(seen, owed=[["augenrules", "--load"]]))
    assert (change.resource, change.before) == ("command augenrules --load", OWED)


def test_commands_run_once_for_all_lines_of_a_file():
    baseline, seen = HOSTS[False]
    hurt = seen
    for id in ("logging.persistent", "logging.compressed"):
        hurt = broken(hurt, next(one for one in baseline.wanted if one.id == id))
    assert [change.resource for change in plan(baseline, hurt)] == [
        "file /etc/systemd/journald.conf.d/zz-estate.conf",
        "command systemctl restart systemd-journald",
    ]


def test_a_mount_that_is_right_but_would_not_last_is_named():
    baseline, seen = HOSTS[False]
    seen = replace(seen, units={**seen.units, own.MOUNTS_UNIT: UnitState()})
    assert failing(baseline, seen) == [
        "mounts.tmp",
        "mounts.shm",
        "mounts.var_tmp",
        "mounts.home",
        "mounts.var_log",
        "mounts.var_log_audit",
    ]
    assert [change.resource for change in plan(baseline, seen)] == [f"unit {own.MOUNTS_UNIT}"]


def test_a_file_that_others_may_write_counts_as_none():
    baseline, seen = HOSTS[False]
    for path, area in (("/etc/sudoers.d/estate-baseline", "sudo."), ("/etc/issue", "files.banner")):
        files = {**seen.files, path: replace(seen.files[path], mode=0o666)}
        named = failing(baseline, replace(seen, files=files))
        assert named
        assert all(id.startswith(area) for id in named)
        assert [change.resource for change in plan(baseline, replace(seen, files=files))] == [f"file {path}"]


def test_a_folder_is_made_before_a_package_makes_it_with_other_rights():
    baseline, seen = HOSTS[False]
    seen = replace(seen, paths={**seen.paths, "/etc/cron.d": {}, "/etc/crontab": {}})
    assert failing(baseline, seen) == ["cron.d"]
    assert [change.resource for change in plan(baseline, seen)] == ["directory /etc/cron.d"]
    assert plan(baseline, after(seen, plan(baseline, seen))) == []


def test_another_service_that_keeps_the_clock_is_as_good():
    baseline, seen = HOSTS[False]
    running = UnitState(True, "active", "running", "enabled")
    seen = replace(seen, units={**seen.units, "systemd-timesyncd.service": UnitState(), "chrony.service": running})
    seen.packages.packages.pop("systemd-timesyncd")
    seen.packages.packages["chrony"] = ("install", "installed")
    assert failing(baseline, seen) == []
    assert plan(baseline, seen) == []


@pytest.mark.parametrize(
    ("control", "said"),
    [
        ({"id": "a.b", "title": "t", "level": 1, "kind": "regedit"}, "'regedit' is no kind of control"),
        ({"id": "a.b", "title": "t", "level": 1, "kind": "sysctl", "key": "x"}, "a.b: sysctl needs value"),
    ],
)
def test_what_is_no_control_is_refused(control, said):
    with pytest.raises(EstateError, match=said):
        wanted_of([control], 2, False)


def test_an_exemption_from_nothing_is_refused():
    params = {"controls": DATA, "level": 2, "engine": False}
    stranger = {"id": "sudo.lock", "reason": "r", "owner": "o", "expires": "2027-01-01"}
    with pytest.raises(EstateError, match=r"there is no control sudo\.lock"):
        baseline_of({**params, "exemptions": [stranger]})


LINES = st.lists(
    st.text(st.characters(exclude_categories=["C", "Z"]), max_size=12).map(lambda word: f"{word} 1"), max_size=8
)


@given(LINES, st.lists(st.sampled_from(["UMASK 022", "UMASK\t027", " UMASK=1", "#UMASK 5"]), max_size=4), st.randoms())
def test_a_setting_stands_once_and_other_lines_stay(others, own_lines, random):
    lines = [*others, *own_lines]
    random.shuffle(lines)
    text = "".join(f"{line}\n" for line in lines)
    after_it = own.with_setting(text, "UMASK", "027", " ")
    assert own.setting_values(after_it, "UMASK") == ["027"]
    assert own.with_setting(after_it, "UMASK", "027", " ") == after_it

    def strangers(content):
        return [line for line in content.splitlines() if not own.setting_values(line, "UMASK")]

    assert strangers(after_it) == strangers(text)


@given(st.integers(0, 0o7777), st.integers(0, 0o777), st.sampled_from([0, 7, 42]), st.sampled_from([0, 7, 42]))
def test_access_is_only_ever_taken_away(mode, most, uid, gid):
    wanted = Wanted("x", "x", "path", {"path": "/x", "owner": "root", "group": "shadow|root", "mode": f"{most:04o}"})
    state = FileState("file", b"", uid, gid, mode)
    seen = Seen(paths={"/x": {"/x": state}}, owners={"root": 0}, owner_groups={"root": 0, "shadow": 42})
    for change in Path.changes(wanted, seen):
        _path, uid, gid, better = change.data.arguments
        assert better & ~mode == 0
        assert better & ~(most | 0o1000) == 0
        state = FileState("file", b"", uid, gid, better)
    assert Path.judge(wanted, replace(seen, paths={"/x": {"/x": state}})).holds
