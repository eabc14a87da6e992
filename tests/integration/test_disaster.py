# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything is lost but the stores and the recovery key: hosts, disks, estate file, secrets. Then it is back."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

import pytest
import requests
import yaml

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import TIERS
from ansible_collections.retailerp.estate.tests.people import Administrator

pytestmark = pytest.mark.drill

TABLE = "estate_disaster"
BLOB = "https://blob.lab.test:10000/devstoreaccount1/shop-backup/shop/kit/estate.age"


def lose(lab):
    """Take hosts and disks away, and boot bare ones in their place. The stores' disk is none of the estate's."""
    for host in lab.hosts:
        subprocess.run(["docker", "rm", "--force", "--volumes", f"estate-lab-{host}"], check=True, capture_output=True)
        subprocess.run(["docker", "volume", "rm", f"estate-lab-{host}-docker"], check=True, capture_output=True)
    command = [lab.root / ".venv/bin/ansible-playbook", "-i", lab.inventory, lab.root / "molecule/shared/create.yml"]
    subprocess.run(command, cwd=lab.root, env=lab.environment(), check=True, capture_output=True, timeout=900)


def new_inventory(lab):
    """An inventory out of the kit alone, and what the new place has of its own: SSH, and the new ACME authority."""
    folder = lab.root / ".lab/disaster/inventory"
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, lab.root / "molecule/shared/files/stores.py", "sas", "r"]
    signature = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kit = requests.get(f"{BLOB}?{signature}", verify=lab.ca, timeout=20)
    kit.raise_for_status()
    (folder.parent / "estate.age").write_bytes(kit.content)
    opened = type(lab)(folder).playbook(
        "open_kit",
        *(
            "-e",
            f"kit={folder.parent}/estate.age",
            "-e",
            f"identity={lab.root}/.lab/recovery.key",
            "-e",
            f"directory={folder}",
        ),
    )
    for secret in lab.secrets().values():
        assert secret not in opened.output
    place = {
        "ansible_ssh_common_args": f"-F {lab.root}/.lab/ssh_config",
        "estate_sites_ca_file": f"{lab.root}/.lab/root.pem",
    }
    (folder / "group_vars/all/place.yml").write_text(yaml.safe_dump(place))
    return type(lab)(folder)


def test_everything_is_lost_but_the_stores_and_the_key(lab, waiting, odoo, site, record_property):
    if "backup" not in lab.spec():
        pytest.skip("this estate has no backups")
    before, longest = lab.secrets(), lab.spec()["backup"]["archive_timeout_s"]
    partner = odoo("res.partner", "create", {"name": "before the point"})
    picture = odoo("ir.attachment", "create", {"name": "kept", "datas": "cGljdHVyZQ=="})
    lab.playbook("backup")
    later = odoo("res.partner", "create", {"name": "after the point"})
    primary = lab.primary()
    lab.sql(primary, f"CREATE TABLE {TABLE} AS SELECT 1 AS id, clock_timestamp() AS at")
    end = time.monotonic() + 2 * longest
    while time.monotonic() < end:
        lab.sql(primary, f"INSERT INTO {TABLE} SELECT max(id) + 1, clock_timestamp() FROM {TABLE}")
        time.sleep(0.5)
    last = float(lab.sql(primary, f"SELECT extract(epoch FROM max(at)) FROM {TABLE}"))
    lose(lab)
    new = new_inventory(lab)
    assert new.secrets() == before
    assert {tier: new.group(tier) for tier in TIERS} == {tier: lab.group(tier) for tier in TIERS}
    began = time.monotonic()
    run = new.playbook("disaster", "-e", f"confirm={new.spec()['id']}", timeout=3000)
    took = time.monotonic() - began
    kept = float(new.sql(new.primary(), f"SELECT extract(epoch FROM max(at)) FROM {TABLE}"))
    phases = {play["name"]: play["seconds"] for play in run.result["plays"] if play["seconds"] >= 1}
    record_property("phases", phases)
    print(f"back after {took:.0f} s; {last - kept:.1f} s of rows lost; {phases}")
    assert last - kept <= longest + 2
    assert new.get(f"{site}/web/login").status_code == 200
    internal = f"https://admin.{new.spec()['domain']}"
    back = Administrator(internal, new.spec()["id"], before["odoo_administrator"], new.ca)
    assert back("res.partner", "search_count", [("id", "in", [partner, later])]) == 2
    (again,) = back("ir.attachment", "read", [picture], ["datas"])
    assert again["datas"] == "cGljdHVyZQ=="
    assert new.playbook("onboard").changed_tasks() == []
    told = new.playbook("backup_report").output
    assert all(f"store {number}: full" in told for number in range(1, 1 + len(new.spec()["backup"]["repositories"])))
    new.playbook("restore", "-e", f"confirm={new.spec()['id']}", "-e", "finish=true")
