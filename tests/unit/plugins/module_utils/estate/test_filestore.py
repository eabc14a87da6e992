# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery points in the plan: who adds, where the gate is, who gets to it, and what is refused."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.estate import filestore

BACKUP = {"repositories": [{"type": "posix", "path": "/srv/backup"}], "retention_days": 35}
KEY = "age1" + "q" * 58


@pytest.fixture
def backed(lab):
    """The lab's estate with backups."""
    return lab.set("backup", BACKUP)


def test_without_backups_there_are_no_points(lab):
    hosts = lab.set("backup", None).draft()["hosts"].values()
    assert {(host["filestore"], host["filestore_gate"]) for host in hosts} == {(None, None)}


def test_the_application_host_adds_and_the_keeper_has_the_gate(backed):
    hosts = backed.draft()["hosts"]
    assert [name for name, host in hosts.items() if host["filestore"]] == ["app1"]
    assert [name for name, host in hosts.items() if host["filestore_gate"]] == ["ops1"]
    own, gate = hosts["app1"]["filestore"], hosts["ops1"]["filestore_gate"]
    assert own["gate"] == {"host": "ops1", "address": hosts["ops1"]["address"], "port": gate["port"]}
    assert own["user"] in gate["users"]
    assert gate["keep_days"] == 35
    assert gate["stores"] == 1
    volume = f"{own['estate']}-odoo-data"
    assert own["directory"] == f"/var/lib/docker/volumes/{volume}/_data/filestore/{hosts['app1']['odoo']['database']}"


def test_only_application_hosts_reach_the_gate(backed):
    hosts = backed.draft()["hosts"]
    (flow,) = [flow for flow in hosts["ops1"]["flows"]["in"] if flow["name"] == "filestore_gate"]
    assert flow["sources"] == [f"{hosts['app1']['address']}/32"]
    assert flow["ports"] == [hosts["ops1"]["filestore_gate"]["port"]]


def test_what_is_no_recovery_key_is_refused(backed):
    assert "estate_spec.backup.recovery_key" not in {
        found.path for found in backed.set("backup.recovery_key", KEY).problems()
    }
    for wrong in ("ssh-ed25519 AAAA", KEY[:-1], KEY.replace("q", "b")):
        found = [one for one in backed.set("backup.recovery_key", wrong).problems() if "recovery_key" in one.path]
        assert found, wrong


def test_the_secrets_of_gate_and_repository_are_asked_for(backed):
    case = backed.copy()
    case.secrets = {name: value for name, value in case.secrets.items() if not name.startswith("filestore_")}
    paths = {found.path for found in case.problems()}
    assert {"estate_secrets.filestore_gate", "estate_secrets.filestore_key"} <= paths


S3 = {
    "type": "s3",
    "bucket": "shop-backup",
    "region": "eu-lab-1",
    "endpoint": "s3.lab.test",
    "port": 7070,
    "uri_style": "path",
    "access_key": "host",
    "keeper_access_key": "keeper",
    "path": "/shop",
    "ca_file": "/ca.pem",
}
AZURE = {"type": "azure", "account": "shop", "container": "backup", "endpoint": "blob.core.windows.net"}


def test_points_lie_beside_the_databases_backups():
    found = filestore.store(S3)
    assert (found["remote"], found["directory"]) == ("place:shop-backup/shop/filestore", None)
    assert found["section"]["endpoint"] == "https://s3.lab.test:7070"
    assert found["section"]["force_path_style"] == "true"
    assert found["section"]["access_key_id"] == "keeper"
    assert (found["secret"], found["ca_file"]) == (["secret_access_key", ""], "/ca.pem")


@pytest.mark.parametrize(
    ("place", "address"),
    [
        ({"port": 443, "uri_style": "host"}, "https://shop.blob.core.windows.net/backup?"),
        (
            {"port": 10000, "uri_style": "path", "endpoint": "blob.lab.test"},
            "https://blob.lab.test:10000/shop/backup?",
        ),
    ],
)
def test_an_azure_container_is_reached_by_its_signature(place, address):
    found = filestore.store({**AZURE, "path": "/shop", **place})
    assert found["remote"] == "place:backup/shop/filestore"
    assert (found["section"], found["secret"]) == ({"type": "azureblob"}, ["sas_url", address])


def test_a_file_system_is_a_directory():
    found = filestore.store({"type": "posix", "path": "/srv/backup/", "port": 443, "ca_file": "/ca.pem"})
    assert found["remote"] == found["directory"] == "/srv/backup/filestore"
    assert (found["section"], found["secret"], found["ca_file"]) == ({}, None, None)
