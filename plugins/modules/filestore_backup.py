#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recovery point: Odoo's filestore beside a backup of its database."""

from __future__ import annotations

DOCUMENTATION = r"""
module: filestore_backup
short_description: Take a recovery point of Odoo's filestore beside a backup of its database
version_added: 0.1.0
description:
  - Makes the restic repository where there is none, and the recovery point O(name) where there is none of that name.
  - A point is the pair of a backup of the database, taken before and told by O(label), and a snapshot of the filestore.
    Its record holds the place in the database's log that belongs to the files. It is written last, when every
    attachment that the database knows was found in the snapshot - what is cut short at any moment is no point and is
    never listed.
  - Odoo's collection of attachments is held off meanwhile, by holding the row of its scheduled job as another worker of
    Odoo would. Nothing is written in the database, nobody waits, and the server lets go when this run dies.
  - Files that were lost before are counted, named in the record and told by a control. They keep
    no point from being taken.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.filestore_repository
requirements:
  - restic 0.14 or later and python3-psycopg 3.1 or later on the host.
options:
  name:
    description: The point's name - small letters, digits, dots, dashes. Left out, only the repository is looked after.
    type: str
  label:
    description: The backup of the database that was taken before, by the name its tool gave it. Needed with O(name).
    type: str
  estate:
    description: The estate's id.
    type: str
    required: true
  directory:
    description: The filestore of the database on this host.
    type: path
    required: true
  database:
    description: The database, as M(retailerp.estate.odoo_modules) takes it. Needed with O(name).
    type: dict
    suboptions:
      hosts:
        description: Server names as their certificates have them, each with its address, in order.
        type: dict
        required: true
      port: {description: "The servers' port.", type: int, default: 5432}
      name: {description: "The database.", type: str, required: true}
      user: {description: "The application's role.", type: str, required: true}
      password: {description: "Its password.", type: str, required: true}
      ca_file: {description: "A file on the host, what signs the servers' certificates.", type: path, required: true}
  parts:
    description: What else belongs into the record, such as images and the estate file. B(No secret), but sealed ones.
    type: dict
    default: {}
  certificates:
    description: Patterns of certificate files on this host whose names and dates belong into the record.
    type: list
    elements: str
    default: [/etc/estate/tls/*/cert.pem]
  oldest_h:
    description: Hours after which the newest point is too old.
    type: int
    default: 26
  timeout_s:
    description: Seconds that taking the files may last.
    type: int
    default: 3600
"""

EXAMPLES = r"""
- name: Take a recovery point after the database's backup
  retailerp.estate.filestore_backup:
    name: 20261128t013000z
    label: 20261128-012600F
    estate: shop
    directory: /var/lib/docker/volumes/shop-odoo-data/_data/filestore/shop
    repository_file: /etc/estate/filestore/repository
    password_file: /etc/estate/filestore/key
    ca_file: /etc/estate/filestore/ca.pem
    database:
      hosts: {db1: 10.0.0.31, db2: 10.0.0.32}
      name: shop
      user: shop_application
      password: "{{ estate_secrets.postgresql_application }}"
      ca_file: /etc/estate/filestore/ca.pem
"""

RETURN = r"""
points:
  description: The complete points, oldest first, after the run.
  returned: success
  type: list
  elements: dict
  sample:
    - name: 20261128t013000z
      at: "2026-11-28T01:30:09Z"
      label: 20261128-012600F
      lsn: 0/5000148
      wal: "000000010000000000000005"
      attachments: 20412
      missing: 0
      bytes: 1002994432
      files: 1a7cb756d7c9e60203d8b79a5e565c798942ade53cd76459f53a8f1a1e6061a6
      record: 266d4425c9e60203d8b79a5e565c798942ade53cd76459f53a8f1a1e60611a7c
      path: /var/lib/docker/volumes/shop-odoo-data/_data/filestore/shop
controls:
  description: What must hold of gate, repository and points.
  returned: success
  type: list
  elements: dict
  sample:
    - id: filestore.gate.delete
      title: With this host's password nothing in the repository can be removed
      state: pass
      observed: 403
      expected: 403
      reason: ""
"""

import time

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import restic, take
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.database import Filestore
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.odoo import database
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.database import WHERE
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run


class FilestoreBackup:
    """See the module's documentation. `points` is of the last read, for the answer."""

    def __init__(self, params: dict, check_mode: bool) -> None:
        self._params, self._check_mode = params, check_mode
        self._repository = restic.Repository(params)
        self._wanted = None
        if params["name"]:
            keys = ("name", "label", "directory", "estate", "parts", "timeout_s")
            self._wanted = take.Wanted(**{key: params[key] for key in keys})
        self.points: list[dict] = []

    def read(self) -> take.Found:
        """See take.read; in check mode a host without restic or its files is a bare one."""
        found = take.Found() if self._check_mode and not restic.ready(self._params) else take.read(self._repository)
        self.points[:] = [point.report() for point in found.points]
        return found

    def plan(self, current: take.Found) -> list[Change]:
        """See take.plan_of."""
        return take.plan_of(self._wanted, current)

    def apply(self, changes: list[Change]) -> None:
        """The repository, then the point."""
        for change in changes:
            if change.data == "point":
                take.take(self._wanted, self._repository, Filestore(self._params["database"]), self._about)
            else:
                self._repository.create()

    def _about(self) -> dict:
        system = System()
        return {**take.versions(system), **take.certificates(system, self._params["certificates"])}

    def controls(self, current: take.Found) -> list[Control]:
        """See take.controls."""
        return take.controls(current, time.time(), self._params["oldest_h"] * 3600)


def main() -> None:
    """Read the options and converge."""
    module = AnsibleModule(
        argument_spec={
            **restic.ARGUMENTS,
            "name": {"type": "str"},
            "label": {"type": "str"},
            "estate": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "database": {"type": "dict", "options": WHERE},
            "parts": {"type": "dict", "default": {}},
            "certificates": {"type": "list", "elements": "str", "default": ["/etc/estate/tls/*/cert.pem"]},
            "oldest_h": {"type": "int", "default": 26},
            "timeout_s": {"type": "int", "default": 3600},
        },
        required_by={"name": ("label", "database")},
        supports_check_mode=True,
    )
    refusal = take.refusal(module.params)
    if refusal:
        module.fail_json(msg=refusal)
    if module.params["name"] and not module.check_mode and database.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database.IMPORT_ERROR)
    capability = FilestoreBackup(module.params, module.check_mode)
    run(module, capability, lock="filestore", points=capability.points)


if __name__ == "__main__":
    main()
