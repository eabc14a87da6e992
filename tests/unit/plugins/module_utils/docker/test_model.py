# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release may ask for, and that no container gets more than it."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.docker.model import release_from
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

PORT = {"slot": "a", "address": "10.0.0.21", "port": 80, "container_port": 8069}
MOUNT = {"type": "bind", "source": "/s", "target": "/s", "read_only": True}
HTTP = {"port": 1, "path": "/", "host": None, "status": 200}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"image": "odoo:14"}, "not pinned by digest"),
        ({"image": "odoo@sha256:12"}, "not pinned by digest"),
        ({"user": "0:0"}, "is root"),
        ({"user": "root"}, "is root"),
        ({"user": ""}, "is root"),
        ({"name": "Web!"}, "lower-case"),
        ({"mounts": [{**MOUNT, "source": "/var/run/docker.sock"}]}, "root on the host"),
        ({"mounts": [{**MOUNT, "source": "/"}]}, "root on the host"),
        ({"mounts": [{**MOUNT, "source": "relative"}]}, "not an absolute path"),
        ({"mounts": [{**MOUNT, "target": "/tmp"}]}, "there twice"),
        ({"ports": [{**PORT, "address": "0.0.0.0"}, {**PORT, "slot": "b", "port": 81}]}, "every address"),
        ({"ports": [{**PORT, "address": "edge"}, {**PORT, "slot": "b", "port": 81}]}, "is not an address"),
        ({"ports": [PORT, {**PORT, "slot": "b"}]}, "is taken by web in slot a"),
        ({"ports": [PORT]}, "both slots must publish"),
        ({"health": {"http": None, "command": None, "timeout_s": 1, "interval_s": 1}}, "either http or command"),
        ({"health": {"http": HTTP, "command": None, "timeout_s": 1, "interval_s": 1}}, "is not published"),
    ],
)
def test_what_is_refused(make, changed, told):
    with pytest.raises(EstateError, match=told):
        make.release(make.OLD, make.container(**changed))


def test_everything_that_is_wrong_is_told_at_once(make):
    with pytest.raises(EstateError) as caught:
        release_from(make.options("latest", make.container(image="a:b"), make.container(user="0"), name="Shop"))
    assert len(caught.value.details["problems"]) >= 5


def test_one_slot_shares_its_ports(make):
    release = make.release(make.OLD, make.container(ports=[PORT]), slots=1)
    assert release.ports(release.containers[0], "a") == release.ports(release.containers[0], "b") == [PORT]


def test_no_container_has_rights(make):
    release = make.release()
    host = release.body(release.containers[0], "a")["HostConfig"]
    assert (host["CapDrop"], host["ReadonlyRootfs"], host["SecurityOpt"]) == (["ALL"], True, ["no-new-privileges:true"])
    assert host["Memory"] == host["MemorySwap"] == 256 * 1024 * 1024
    assert host["PidsLimit"] == 64


@pytest.mark.parametrize(
    "changed",
    [{"memory_mb": 300}, {"command": ["x"]}, {"environment": {"A": "b"}}, {"stop_timeout_s": 9}, {"extra_hosts": {}}],
)
def test_the_hash_tells_every_difference_of_a_container(make, changed):
    one, other = make.release(), make.release(make.OLD, make.container(**changed))
    label = "retailerp.estate.spec-hash"
    assert one.body(one.containers[0], "a")["Labels"][label] != other.body(other.containers[0], "a")["Labels"][label]
