# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release from every starting point, on an engine in memory: what is done, in which order, and what is left."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.docker.release import ContainerRelease
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError


def converge(engine, release):
    """One run: the changes it made. Afterwards nothing is left to do and every control passes."""
    capability = ContainerRelease(release, engine, engine.door)
    changes = capability.plan(capability.read())
    capability.apply(changes)
    after = capability.read()
    assert capability.plan(after) == []
    assert {control.state for control in capability.controls(after)} == {"pass"}
    return [(change.action, change.resource) for change in changes]


def serving(engine):
    """The names of the containers that run."""
    return sorted(id for id, one in engine.there.items() if one["State"]["Running"])


def test_from_bare_to_healthy(engine, make):
    changes = converge(engine, make.release())
    assert [action for action, _what in changes] == ["create"] * 3
    assert engine.log == ["pull", "create shop-odoo-web-a", "start shop-odoo-web-a"]
    assert converge(engine, make.release()) == []


def test_check_mode_needs_no_engine(engine, make):
    engine.installed = False
    capability = ContainerRelease(make.release(), engine, engine.door)
    state = capability.read()
    assert [change.resource for change in capability.plan(state)][-1] == "container shop-odoo-web-a"
    assert "fail" in {control.state for control in capability.controls(state)}
    with pytest.raises(EstateError, match="docker_host"):
        capability.apply(capability.plan(state))


def test_two_slots_start_the_new_before_the_old_stops(engine, make):
    converge(engine, make.release())
    engine.log.clear()
    converge(engine, make.release(make.NEW))
    assert engine.log == [
        "create shop-odoo-web-b",
        "start shop-odoo-web-b",
        "refuse 8018",
        "stop shop-odoo-web-a",
        "remove shop-odoo-web-a",
    ]
    assert engine.door.shut == {8018: 11}, "as long as it may take to end, and no longer"


def test_a_slot_whose_end_was_cut_short_is_open_when_it_serves_again(engine, make):
    converge(engine, make.release(make.OLD))
    killed = ContainerRelease(make.release(make.NEW), engine, engine.door)
    stop, engine.stop = engine.stop, None
    with pytest.raises(TypeError):
        killed.apply(killed.plan(killed.read()))
    engine.stop = stop
    assert list(engine.door.shut) == [8018]
    converge(engine, make.release(make.OLD))
    assert serving(engine) == ["shop-odoo-web-a"]
    assert list(engine.door.shut) == [8118]


def one_slot(make, release):
    port = {"slot": "a", "address": "10.0.0.1", "port": 443, "container_port": 8443}
    return make.release(release, make.container(ports=[port]), slots=1)


def test_one_slot_stops_the_old_and_removes_it_when_the_new_is_healthy(engine, make):
    converge(engine, one_slot(make, make.OLD))
    engine.log.clear()
    converge(engine, one_slot(make, make.NEW))
    assert engine.log[:3] == ["create shop-odoo-web-b", "stop shop-odoo-web-a", "start shop-odoo-web-b"]
    assert engine.log[-1] == "remove shop-odoo-web-a"


@pytest.mark.parametrize("slots", [1, 2])
def test_a_release_that_never_gets_healthy_goes_and_the_old_one_serves(engine, make, slots):
    build = (lambda release: one_slot(make, release)) if slots == 1 else make.release
    converge(engine, build(make.OLD))
    engine.ill = {make.NEW}
    with pytest.raises(EstateError) as caught:
        converge(engine, build(make.NEW))
    assert "it is broken" in str(caught.value)
    assert "this serves as before: shop-odoo-web-a" in str(caught.value)
    assert serving(engine) == list(engine.there) == ["shop-odoo-web-a"]
    assert converge(engine, build(make.OLD)) == []


def test_a_release_that_breaks_while_two_serve_goes_as_a_whole(engine, make):
    """The run was killed after the new was healthy and before the old was stopped; then a part of the new broke."""
    parts = [make.container("web"), make.container("cron", ports=[])]
    converge(engine, make.release(make.OLD, *parts))
    killed = ContainerRelease(make.release(make.NEW, *parts), engine, engine.door)
    retire, killed.engine.stop = killed.engine.stop, None
    with pytest.raises(TypeError):
        killed.apply(killed.plan(killed.read()))
    engine.stop = retire
    assert len(serving(engine)) == 4
    engine.stop("shop-odoo-cron-b", "shop-odoo-cron-b")
    engine.ill = {"shop-odoo-cron-b"}
    with pytest.raises(
        EstateError, match="cron-b did not become healthy.*\n.*\n.*\n.*serves as before: shop-odoo-web-a"
    ):
        converge(engine, make.release(make.NEW, *parts))
    assert serving(engine) == sorted(engine.there) == ["shop-odoo-cron-a", "shop-odoo-web-a"]


def test_a_first_release_that_fails_leaves_nothing(engine, make):
    engine.ill = {make.OLD}
    with pytest.raises(EstateError, match="no release before"):
        converge(engine, make.release())
    assert engine.there == {}


def test_an_image_that_cannot_be_had_touches_nothing(engine, make):
    converge(engine, make.release())

    def refuse(reference):
        raise EstateError(f"pulling {reference}: unknown")

    engine.pull = refuse
    engine.log.clear()
    with pytest.raises(EstateError, match="unknown"):
        converge(engine, make.release(make.NEW, make.container(image="other@sha256:" + "2" * 64)))
    assert engine.log == []


def test_a_container_that_is_no_longer_wanted_goes_and_the_rest_stays(engine, make):
    web, cron = make.container("web"), make.container("cron", ports=[])
    converge(engine, make.release(make.OLD, web, cron))
    engine.log.clear()
    converge(engine, make.release(make.OLD, web))
    assert engine.log == ["stop shop-odoo-cron-a", "remove shop-odoo-cron-a"]


def test_a_container_given_rights_by_hand_is_replaced(engine, make):
    converge(engine, make.release())
    engine.there["shop-odoo-web-a"]["HostConfig"]["CapAdd"] = ["SYS_ADMIN"]
    capability = ContainerRelease(make.release(), engine, engine.door)
    failed = [control.id for control in capability.controls(capability.read()) if control.state == "fail"]
    assert "containers.shop-odoo.web.capabilities" in failed
    converge(engine, make.release())
    assert serving(engine) == ["shop-odoo-web-b"]


def test_what_serves_is_judged_healthy_and_the_trait_that_differs_is_named(engine, make):
    """The next release belongs in the other slot; what is missing there is not missing to anybody."""
    parts = [make.container("web"), make.container("cron", ports=[])]
    release = make.release(make.OLD, *parts)
    converge(engine, release)
    engine.there["shop-odoo-web-a"]["HostConfig"]["RestartPolicy"] = {"Name": "no"}
    capability = ContainerRelease(release, engine, engine.door)
    state = capability.read()
    assert {change.action for change in capability.plan(state)} == {"create", "delete"}
    failed = {one.id: (one.observed, one.expected) for one in capability.controls(state) if one.state == "fail"}
    assert failed == {"containers.shop-odoo.web.settings": ({"restart": "no"}, {"restart": "unless-stopped"})}
    assert capability.serving["slot"] == "a"
    assert [one["healthy"] for one in capability.serving["containers"]] == [True, True]


def test_before_an_upgrade_the_old_release_is_told_as_what_serves(engine, make):
    converge(engine, make.release(make.OLD))
    capability = ContainerRelease(make.release(make.NEW), engine, engine.door)
    state = capability.read()
    assert (capability.serving["release"], capability.serving["slot"]) == (make.OLD, "a")
    failed = {one.id: one.observed for one in capability.controls(state) if one.state == "fail"}
    assert failed.keys() == {"containers.shop-odoo.web.settings"}
    assert failed["containers.shop-odoo.web.settings"]["release"] == make.OLD


def test_half_a_release_beside_the_old_one_is_named_and_not_taken_for_what_serves(engine, make):
    parts = [make.container("web"), make.container("cron", ports=[])]
    converge(engine, make.release(make.OLD, *parts))
    new = make.release(make.NEW, *parts)
    engine.create("shop-odoo-web-b", new.body(new.container("web"), "b"))
    engine.start("shop-odoo-web-b", "shop-odoo-web-b")
    capability = ContainerRelease(new, engine, engine.door)
    failed = {one.id: one.observed for one in capability.controls(capability.read()) if one.state == "fail"}
    assert failed["containers.shop-odoo.exclusive"] == ["shop-odoo-web-b"]
    assert "containers.shop-odoo.cron.health" not in failed


def test_limits_the_kernel_has_not_are_exempt_and_no_drift(engine, make):
    engine.unlimited = lambda: frozenset({"pids_limit"})
    capability = ContainerRelease(make.release(), engine, engine.door)
    capability.apply(capability.plan(capability.read()))
    engine.there["shop-odoo-web-a"]["HostConfig"]["PidsLimit"] = None
    state = capability.read()
    assert capability.plan(state) == []
    states = {control.id.rsplit(".", 1)[1]: control.state for control in capability.controls(state)}
    assert (states["pids_limit"], states["memory_mb"]) == ("exempt", "pass")


def test_another_subnet_is_refused(engine, make):
    engine.networks["estate"] = "10.9.0.0/16"
    capability = ContainerRelease(make.release(), engine, engine.door)
    with pytest.raises(EstateError, match=r"10\.9\.0\.0/16"):
        capability.plan(capability.read())


def test_directories_of_old_releases_go_but_the_one_before(engine, make, tmp_path):
    for age, name in enumerate([make.OLD, "1" * 16, "2" * 16, "3" * 16, "notes", "f" * 8]):
        (tmp_path / name).mkdir()
        stamp = 1_700_000_000 - age
        os.utime(tmp_path / name, (stamp, stamp))
    converge(engine, make.release(config_root=str(tmp_path)))
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([make.OLD, "1" * 16, "notes", "f" * 8])


@pytest.mark.parametrize(("failing", "memory_mb"), [("NEW", 256), ("OLD", 300)])
def test_the_files_of_a_failed_release_go_unless_the_old_one_uses_them(engine, make, tmp_path, failing, memory_mb):
    (tmp_path / make.OLD).mkdir()
    converge(engine, make.release(config_root=str(tmp_path)))
    failed = getattr(make, failing)
    (tmp_path / failed).mkdir(exist_ok=True)
    engine.ill = {failed}
    with pytest.raises(EstateError, match="this serves as before"):
        converge(engine, make.release(failed, make.container(memory_mb=memory_mb), config_root=str(tmp_path)))
    assert [one.name for one in tmp_path.iterdir()] == [make.OLD]


WISHES = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.integers(0, 9)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=WISHES, slots=st.sampled_from([1, 2]))
def test_killed_anywhere_the_next_run_ends_in_the_same_state(make, engine, wishes, slots):
    """Releases follow each other, some ill, some runs killed after so many steps; the last run always converges."""
    engine.__init__()

    class Killed(BaseException):
        pass

    def limited(do, left):
        """The same, killed when the steps that are left are used up."""

        def step(*args):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return do(*args)

        return step

    def build(release):
        two = (make.container(), make.container("cron", ports=[]))
        return one_slot(make, release) if slots == 1 else make.release(release, *two)

    for letter, ill, steps in wishes:
        engine.ill = {letter * 16} if ill else set()
        left = [steps]

        names = ("create", "start", "restart", "stop", "remove", "pull")
        for name in names:
            setattr(engine, name, limited(getattr(type(engine), name).__get__(engine), left))
        try:
            converge(engine, build(letter * 16))
        except (Killed, EstateError):
            pass
        for name in names:
            delattr(engine, name)
    engine.ill = set()
    converge(engine, build("e" * 16))
    converge(engine, build("e" * 16))
    assert len(engine.there) == len(serving(engine)) == (1 if slots == 1 else 2)
    published = [at for one in engine.there.values() for at in one["HostConfig"]["PortBindings"].values()]
    assert not {int(where["HostPort"]) for at in published for where in at} & set(engine.door.shut)
