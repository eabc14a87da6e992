# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""config_set on real files: together or not at all, whenever it fails and wherever it is killed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import UnitSpec
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError, diff_of


def old_state(workshop) -> None:
    """A host that runs on an older configuration."""
    (workshop.etc / "a.conf").write_text("old a\n")
    (workshop.etc / "a.conf").chmod(0o640)
    (workshop.etc / "gone.conf").write_text("old gone\n")
    os.symlink("old-target", workshop.etc / "zone")
    workshop.host.run(["systemctl", "restart", "app.service"])


def new_set(workshop, **options):
    """The same host's next configuration: an update, a creation in a new directory, a removal, a link."""
    return workshop.spec(
        workshop.file("a.conf", "new a\n"),
        workshop.file("conf.d/b.conf", "new b\n", mode=0o600),
        workshop.file("gone.conf", state="absent"),
        workshop.file("zone", "new-target", state="link"),
        **options,
    )


def read_by_unit(workshop) -> dict:
    """What the unit read when it last took its configuration."""
    return {
        os.path.relpath(path, workshop.host.root): text
        for path, text in workshop.host.units()["app.service"]["read"].items()
    }


NEW = {
    "etc/a.conf": ("new a\n", 0o644),
    "etc/conf.d": (None, 0o755),
    "etc/conf.d/b.conf": ("new b\n", 0o600),
    "etc/zone": ("new-target", None),
}


def test_everything_changes_and_the_unit_reads_it(workshop):
    old_state(workshop)
    told = workshop.converge(new_set(workshop))
    assert workshop.host.tree() == NEW
    assert read_by_unit(workshop) == {"etc/a.conf": "new a\n", "etc/conf.d/b.conf": "new b\n"}
    assert [line.split("/")[-1] for line in told if "owner" not in line] == [
        "conf.d",
        "a.conf",
        "b.conf",
        "gone.conf",
        "zone",
        "restart unit app.service",
    ]
    assert not os.path.exists(workshop.journal().path)
    assert workshop.converge(new_set(workshop)) == []


def test_check_mode_says_the_same_and_changes_nothing(workshop):
    old_state(workshop)
    before = workshop.host.tree()
    told = workshop.plan(new_set(workshop))
    assert workshop.host.tree() == before
    assert told == workshop.converge(new_set(workshop))


def test_check_mode_on_a_bare_host_counts_missing_accounts_and_units_as_to_be_made(workshop):
    spec = workshop.spec(workshop.file("x", "x\n", owner="redis", group="redis"), units=[UnitSpec("redis.service")])
    assert workshop.plan(spec) == [f"create file {workshop.etc}/x", "start unit redis.service"]
    with pytest.raises(EstateError, match=r"not on this host: group redis, user redis.*Nothing was changed"):
        workshop.converge(spec)
    assert workshop.host.tree() == {}


@pytest.mark.parametrize("failing", ["candidate", "check", "unit", "later", "probe"])
def test_a_failure_anywhere_puts_everything_back(workshop, failing):
    old_state(workshop)
    before, read = workshop.host.tree(), read_by_unit(workshop)
    options = {
        "check": {"checks": [["sh", "-c", "echo no such luck >&2; exit 3"]]},
        "probe": {"probe": ["sh", "-c", "echo no answer >&2; false"], "probe_timeout_s": 0.05},
    }.get(failing, {})
    spec = new_set(workshop, **options)
    if failing == "candidate":
        spec.files.append(
            workshop.file("c.conf", "c\n", validate="sh -c 'echo bad candidate >&2; grep -q never \"$0\"' %s")
        )
    if failing in ("unit", "later"):
        spec.files.append(workshop.file("c.conf", "broken\n" if failing == "unit" else "dies\n"))
    told = {
        "candidate": "bad candidate",
        "check": "no such luck",
        "unit": "refusing",
        "later": "is inactive",
        "probe": "no answer",
    }[failing]
    with pytest.raises(EstateError, match=told) as caught:
        workshop.converge(spec)
    assert caught.value.details == {"rolled_back": True}
    assert ("Nothing was changed" if failing == "candidate" else "The old configuration is back") in str(caught.value)
    assert workshop.host.tree() == before
    assert read_by_unit(workshop) == read
    assert workshop.host.units()["app.service"]["active"]
    restarts = [call for call in workshop.host.calls() if call.startswith("restart")]
    assert len(restarts) == {"candidate": 1, "check": 1, "unit": 3, "later": 3, "probe": 3}[failing], (
        "told without need"
    )


def test_a_unit_that_did_not_run_is_stopped_and_disabled_again(workshop):
    workshop.host.set_units({"app.service": {"active": False, "enabled": False, "read": {}}})
    with pytest.raises(EstateError):
        workshop.converge(new_set(workshop, probe=["false"], probe_timeout_s=0.05))
    assert workshop.host.units()["app.service"]["active"] is False
    assert workshop.host.units()["app.service"]["enabled"] is False
    workshop.converge(new_set(workshop))
    assert workshop.host.units()["app.service"]["active"] is True
    assert workshop.host.units()["app.service"]["enabled"] is True


def test_a_stopped_or_disabled_unit_is_drift_of_its_own(workshop):
    workshop.converge(new_set(workshop))
    units = workshop.host.units()
    units["app.service"]["enabled"] = False
    workshop.host.set_units(units)
    assert workshop.converge(new_set(workshop)) == ["enable unit app.service"]
    units["app.service"].update(active=False, enabled=True)
    workshop.host.set_units(units)
    assert workshop.converge(new_set(workshop)) == ["start unit app.service"]


def count_steps(workshop) -> int:
    """How many steps an undisturbed run takes."""
    old_state(workshop)
    before = workshop.host.steps
    workshop.converge(new_set(workshop))
    return workshop.host.steps - before


def test_killed_before_any_step_the_next_run_reaches_the_same_state(new_workshop):
    for fuse in range(count_steps(new_workshop("count"))):
        workshop = new_workshop(fuse)
        old_state(workshop)
        workshop.host.fuse = workshop.host.steps + fuse
        with pytest.raises(workshop.Killed):
            workshop.converge(new_set(workshop))
        workshop.host.fuse = None
        workshop.converge(new_set(workshop))
        assert workshop.host.tree() == NEW, f"step {fuse}"
        assert read_by_unit(workshop) == {"etc/a.conf": "new a\n", "etc/conf.d/b.conf": "new b\n"}, f"step {fuse}"
        assert not os.path.exists(workshop.journal().path)
        assert workshop.converge(new_set(workshop)) == []


def test_killed_before_any_step_the_way_back_still_leads_to_the_old_state(new_workshop):
    for fuse in range(count_steps(new_workshop("count"))):
        workshop = new_workshop(fuse)
        old_state(workshop)
        before, read = workshop.host.tree(), read_by_unit(workshop)
        workshop.host.fuse = workshop.host.steps + fuse
        with pytest.raises(workshop.Killed):
            workshop.converge(new_set(workshop))
        workshop.host.fuse = None
        if workshop.journal().manifest() is None:
            assert workshop.host.tree() in (before, NEW), f"step {fuse}: half a configuration and no way back"
            continue
        with pytest.raises(EstateError):
            workshop.converge(new_set(workshop, probe=["false"], probe_timeout_s=0.05))
        assert workshop.host.tree() == before, f"step {fuse}"
        assert read_by_unit(workshop) == read, f"step {fuse}"


def test_the_way_back_may_be_cut_short_and_run_again(workshop):
    old_state(workshop)
    before, read = workshop.host.tree(), read_by_unit(workshop)
    workshop.converge(new_set(workshop, rollback_after_s=30, token="t"))
    script = workshop.journal().script
    lines = Path(script).read_text().splitlines()
    body = range(lines.index("main() {") + 1, lines.index("main"))
    for cut in body:
        if lines[cut].strip() in ("fi", "}") or lines[cut].strip().startswith(("if", "exit")):
            continue
        half = workshop.host.root / "half.sh"
        half.write_text("\n".join([*lines[:cut], "kill -9 $$", *lines[cut:]]) + "\n")
        workshop.host.run(["/bin/sh", str(half)])
        assert os.path.exists(script), "the journal may go last only"
    assert workshop.journal().way_back()[0] == 0
    assert workshop.host.tree() == before
    assert read_by_unit(workshop) == read


def test_a_new_unit_file_is_read_by_systemd_before_the_unit_starts(workshop, monkeypatch):
    module = "ansible_collections.retailerp.estate.plugins.module_utils.host.plan.UNIT_DIRECTORIES"
    monkeypatch.setattr(module, (f"{workshop.etc}/systemd/",))
    workshop.converge(workshop.spec(workshop.file("systemd/app.service", "[Unit]\n")))
    calls = [call for call in workshop.host.calls() if not call.startswith("show")]
    assert calls.index("daemon-reload") < calls.index("restart app.service")


def test_commands_put_files_into_effect_and_again_when_they_come_back(workshop):
    old_state(workshop)
    seen = workshop.host.root / "seen"
    command = ["sh", "-c", f"cat {workshop.etc}/a.conf >> {seen}"]
    with pytest.raises(EstateError):
        workshop.converge(new_set(workshop, commands=[command], probe=["false"], probe_timeout_s=0.05))
    assert seen.read_text() == "new a\nold a\n"


def test_a_bind_mounted_file_is_refused_before_anything_changes(workshop):
    old_state(workshop)
    before = workshop.host.tree()
    (workshop.host.root / "mountinfo").write_text(f"24 1 0:5 / {workshop.etc}/a.conf rw - ext4 /dev/vda rw\n")
    with pytest.raises(EstateError, match=r"a\.conf is a bind mount.*Nothing was changed"):
        workshop.converge(new_set(workshop))
    assert workshop.host.tree() == before


def test_a_directory_in_the_place_of_a_file_is_refused(workshop):
    (workshop.etc / "a.conf").mkdir()
    with pytest.raises(EstateError, match="is a directory, not a file"):
        workshop.converge(new_set(workshop))


def test_errors_and_diffs_tell_no_secret(workshop):
    secret = workshop.file("users.acl", "user app hunter2-secret\n", secret=True, mode=0o600)
    capability = workshop.capability(workshop.spec(secret, workshop.file("c.conf", "broken\n")))
    changes = capability.plan(capability.read())
    assert "hunter2" not in json.dumps([diff_of(changes), [change.report() for change in changes]])
    with pytest.raises(EstateError, match="refusing") as caught:
        capability.apply(changes)
    assert "hunter2" not in str(caught.value)
    assert "(secret)" in str(caught.value)


def test_candidates_are_private_until_they_have_their_owner_and_mode(workshop, monkeypatch):
    seen = []
    real = os.fchown
    monkeypatch.setattr(
        os, "fchown", lambda number, *ids: (seen.append(os.fstat(number).st_mode & 0o777), real(number, *ids))
    )
    workshop.converge(workshop.spec(workshop.file("open.conf", "x\n", mode=0o644)))
    assert set(seen) == {0o600}


def test_armed_before_the_first_change_and_disarmed_by_the_token_only(workshop):
    old_state(workshop)
    spec = new_set(workshop, rollback_after_s=30, token="right")
    placed_when_armed = []
    real = workshop.host.run

    def watch(argv, **options):
        if argv[:2] == ["systemctl", "enable"] and argv[-1].endswith("-rollback-app.timer"):
            placed_when_armed.append((workshop.etc / "a.conf").read_text())
            units = workshop.host.root / "units"
            assert "OnActiveSec=30\n" in (units / argv[-1]).read_text()
            assert f"ExecStart=/bin/sh {workshop.journal().script}\n" in (units / f"{argv[-1][:-5]}service").read_text()
        return real(argv, **options)

    workshop.host.run = watch
    workshop.converge(spec)
    assert placed_when_armed == ["old a\n"]
    with pytest.raises(EstateError, match="already put its old configuration back"):
        workshop.capability(spec).commit("wrong")
    assert os.path.exists(workshop.journal().script)
    workshop.capability(spec).commit("right")
    assert "disable --quiet --now retailerp-estate-rollback-app.timer" in workshop.host.calls()
    assert [path for path in (workshop.host.root / "units").rglob("*") if path.is_file()] == []
    assert not os.path.exists(workshop.journal().path)
    assert workshop.host.tree() == NEW


def test_never_confirmed_the_host_goes_back_and_a_late_confirmation_is_refused(workshop):
    old_state(workshop)
    before, read = workshop.host.tree(), read_by_unit(workshop)
    spec = new_set(workshop, rollback_after_s=30, token="right")
    workshop.converge(spec)
    assert workshop.host.tree() == NEW
    # What the timer does.
    assert workshop.host.run(["/bin/sh", workshop.journal().script])[0] == 0
    assert workshop.host.tree() == before
    assert read_by_unit(workshop) == read
    assert [path for path in (workshop.host.root / "units").rglob("*") if path.is_file()] == []
    with pytest.raises(EstateError, match="already put its old configuration back"):
        workshop.capability(spec).commit("right")


def test_a_unit_that_is_to_stop_is_stopped_and_disabled_when_its_files_go(workshop):
    workshop.converge(new_set(workshop))
    spec = workshop.spec(workshop.file("a.conf", state="absent"), units=[UnitSpec("app.service", "stop")])
    assert workshop.converge(spec) == [f"delete file {workshop.etc}/a.conf", "stop unit app.service"]
    unit = workshop.host.units()["app.service"]
    assert (unit["active"], unit["enabled"]) == (False, False)
    assert workshop.plan(spec) == []
    assert workshop.plan(workshop.spec(units=[UnitSpec("never-installed.service", "stop")])) == []


def test_a_unit_that_is_to_stop_runs_again_when_the_set_is_put_back(workshop):
    workshop.converge(new_set(workshop))
    spec = workshop.spec(
        workshop.file("a.conf", state="absent"),
        units=[UnitSpec("app.service", "stop")],
        probe=["false"],
        probe_timeout_s=0.05,
    )
    with pytest.raises(EstateError, match="The old configuration is back"):
        workshop.converge(spec)
    unit = workshop.host.units()["app.service"]
    assert (unit["active"], unit["enabled"]) == (True, True)
    assert (workshop.etc / "a.conf").exists()


def test_controls_tell_what_departs(workshop):
    spec = new_set(workshop)
    workshop.converge(spec)
    (workshop.etc / "a.conf").write_text("edited\n")
    capability = workshop.capability(spec, check_mode=True)
    states = {control.id: (control.state, control.observed) for control in capability.controls(capability.read())}
    assert states == {"config.app.files": ("fail", [f"{workshop.etc}/a.conf"]), "config.app.units": ("pass", {})}


def test_a_unit_whose_effect_is_undone_acts_again(workshop):
    """It counts as running, its files are as planned, and yet what it did is gone."""
    effect = workshop.etc / "effect"
    unit = UnitSpec("app.service", "reload", effect=["sh", "-c", f"test -e {effect} || {{ echo it is gone; false; }}"])
    spec = new_set(workshop, units=[unit])
    effect.write_text("")
    workshop.converge(spec)
    assert workshop.plan(spec) == []
    effect.unlink()
    assert workshop.plan(spec) == ["reload unit app.service"]
    capability = workshop.capability(spec, check_mode=True)
    failed = [control for control in capability.controls(capability.read()) if control.state == "fail"]
    assert [control.observed for control in failed] == [{"app.service": "active, enabled, but undone: it is gone"}]
    workshop.host.run = lambda argv, real=workshop.host.run, **options: (
        effect.write_text("") if argv[:2] == ["systemctl", "reload"] else None,
        real(argv, **options),
    )[1]
    workshop.converge(spec)
    assert workshop.plan(spec) == []
