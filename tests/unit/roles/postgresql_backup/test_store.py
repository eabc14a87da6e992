# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store that is a directory of the keeper: what pgBackRest is told on either side, and what its server sees."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.estate import backup

TEMPLATES = Path(__file__).parents[4] / "roles/postgresql_backup/templates"
SPEC = {
    "id": "shop",
    "backup": {
        "repositories": [
            {
                "type": "s3",
                "path": "/shop",
                "bucket": "shop",
                "region": "eu-test-1",
                "endpoint": "s3.lab.test",
                "uri_style": "host",
                "port": 443,
                "access_key": "host",
                "keeper_access_key": "keeper",
                "lock_days": 0,
            },
            {"type": "posix", "path": "/srv/backup/", "port": 443, "lock_days": 0},
        ]
    },
}


def rendered(template, server):
    """A template's lines, for a database host that reaches the keeper at `server`, or for the keeper itself."""
    stores = backup.repositories(SPEC, server)
    keeper = {
        "stanza": "shop",
        "repositories": stores,
        "members": {"db1": "10.0.0.1", "db2": "10.0.0.2"},
        "store_server": {"address": "10.0.0.5", "port": backup.STORE_PORT},
        "server_port": backup.SERVER_PORT,
        "retention_days": 30,
        "processes": 1,
        "port": 5432,
    }
    host = {
        "stanza": "shop",
        "processes": 1,
        "wal_queue_mb": 4096,
        "address": "10.0.0.1",
        "server_port": backup.SERVER_PORT,
        "keeper": "ops1",
        "port": 5432,
    }
    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    return (
        engine.get_template(template)
        .render(
            postgresql_backup_stores=stores,
            postgresql_backup_keeper_plan=keeper,
            postgresql_backup_plan=host,
            postgresql_backup_etc="/etc/x",
            __postgresql_backup_data="/data",
            __postgresql_backup_tls="/etc/estate/tls/backup",
            __postgresql_backup_keeper_tls="/etc/estate/tls/backup-keeper",
            __postgresql_backup_store_tls="/etc/estate/tls/backup-store",
            __postgresql_backup_store_etc="/etc/estate/backup-store",
            __postgresql_backup_user="estate-keeper",
            __postgresql_backup_program="/usr/local/lib/backup",
            __postgresql_backup_directories=[store for store in stores if store["type"] == "posix"],
        )
        .splitlines()
    )


def test_a_database_host_reaches_the_directory_through_the_server():
    lines = rendered("pgbackrest.conf.j2", "10.0.0.5")
    assert [line for line in lines if line.startswith("repo2-")] == [
        "repo2-host=10.0.0.5",
        "repo2-host-type=tls",
        "repo2-host-port=8433",
        "repo2-host-config=/etc/estate/backup-store/pgbackrest.conf",
        "repo2-host-ca-file=/etc/estate/tls/backup/ca.pem",
        "repo2-host-cert-file=/etc/estate/tls/backup/cert.pem",
        "repo2-host-key-file=/etc/estate/tls/backup/key.pem",
        "repo2-cipher-type=aes-256-cbc",
    ]
    assert "repo1-s3-key=host" in lines
    assert not any(line.startswith("repo1-host") for line in lines)


def test_the_keeper_reads_and_expires_it_where_it_lies():
    lines = rendered("keeper.conf.j2", None)
    assert {"repo2-type=posix", "repo2-path=/srv/backup/database", "repo2-retention-full=30"} <= set(lines)
    assert not any(line.startswith("repo2-host") for line in lines)
    assert "ReadWritePaths=/srv/backup/database" in rendered("backup.service.j2", None)


def test_the_keepers_configuration_is_understood_by_every_release():
    """Debian 12 has pgBackRest 2.45, whose backups end with an error on these; the program gives them where it may."""
    assert not [line for line in rendered("keeper.conf.j2", None) if "backup-standby" in line or "-block=" in line]


def test_the_server_knows_the_directory_and_the_members_and_no_secret():
    lines = rendered("store.conf.j2", None)
    assert [line for line in lines if line.startswith("repo")] == ["repo2-path=/srv/backup/database"]
    assert [line for line in lines if "auth" in line] == ["tls-server-auth=db1=shop", "tls-server-auth=db2=shop"]
    assert {"tls-server-address=10.0.0.5", "tls-server-port=8433"} <= set(lines)
    assert not any(word in line for line in lines[1:] for word in ("pass", "s3", "keeper"))


@pytest.mark.parametrize("hidden", ["/etc/estate", "/run", "/var", "/proc", "/dev/shm"])
def test_the_server_sees_nothing_else_of_the_keeper(hidden):
    lines = rendered("store.service.j2", None)
    gone = [line.partition("=")[2] for line in lines if line.startswith(("TemporaryFileSystem=", "InaccessiblePaths="))]
    assert hidden in [word.removesuffix(":ro") for words in gone for word in words.split()]


def test_the_server_writes_into_the_directory_alone():
    lines = rendered("store.service.j2", None)
    writable = [line for line in lines if line.startswith(("BindPaths=", "ReadWritePaths=", "StateDirectory="))]
    assert writable == ["BindPaths=/srv/backup/database"]
    assert {"User=estate-keeper", "ProtectSystem=strict", "RequiresMountsFor=/srv/backup/database"} <= set(lines)
