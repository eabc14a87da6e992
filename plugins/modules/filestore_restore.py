#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo's filestore as its database needs it, from a recovery point."""

from __future__ import annotations

DOCUMENTATION = r"""
module: filestore_restore
short_description: Lay back the files that Odoo's database names, from a recovery point
version_added: 0.1.0
description:
  - Reads every attachment of the database, and the SHA-1 of its file on disk. Files that are missing or have another
    content are laid back from the recovery point; then everything is read again.
  - Restore the database first. Odoo names a file by its content, so nothing that is right is touched, nothing is
    removed, and a run that was cut short is finished by the next one.
  - Files that the point does not have either are told by a control, not an error.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.odoo_database
  - retailerp.estate.filestore_repository
requirements:
  - restic 0.14 or later and python3-psycopg 3.1 or later on the host.
options:
  name:
    description: The recovery point, or V(latest).
    type: str
    required: true
  directory:
    description: The filestore on this host. Made where it is missing; a copy of the database has one of its own.
    type: path
    required: true
  owner:
    description: Number of the user who owns the files, that of Odoo's container.
    type: int
    required: true
  group:
    description: Number of their group.
    type: int
    required: true
  timeout_s:
    description: Seconds that fetching the files may last. Many are fetched in up to sixteen parts, each of which may.
    type: int
    default: 14400
"""

EXAMPLES = r"""
- name: Lay back what the restored database names
  retailerp.estate.filestore_restore:
    name: latest
    directory: /var/lib/docker/volumes/shop-odoo-data/_data/filestore/shop
    owner: 101
    group: 101
    ca_file: /etc/estate/filestore/ca.pem
    database:
      hosts: {db1: 10.0.0.31}
      name: shop
      user: shop_application
      password: "{{ estate_secrets.postgresql_application }}"
      ca_file: /etc/estate/filestore/ca.pem
"""

RETURN = r"""
point:
  description: The point that was used, as M(retailerp.estate.filestore_backup) lists it.
  returned: success
  type: dict
  sample: {name: 20261128t013000z, label: 20261128-012600F, lsn: 0/5000148}
controls:
  description: Whether every attachment is on disk with its content.
  returned: success
  type: list
  elements: dict
  sample:
    - id: filestore.attachments
      title: Every attachment of the database is on disk, with its content
      state: pass
      observed: {attachments: 20412, damaged: 0, first: []}
      expected: {attachments: 20412, damaged: 0, first: []}
      reason: ""
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import restic, restore
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.database import Filestore
from ansible_collections.retailerp.estate.plugins.module_utils.odoo import database
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.database import WHERE
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run


class FilestoreRestore:
    """See the module's documentation. `point` is of the last read, for the answer."""

    def __init__(self, params: dict) -> None:
        self._params = params
        self._repository = restic.Repository(params)
        self._database = Filestore(params["database"])
        self.point: dict = {}

    def read(self) -> restore.Found:
        """See restore.read. The database is read at once each time: rows may have come meanwhile."""
        wanted = self._database.attachments()
        found = restore.read(self._repository, self._params["name"], self._params["directory"], wanted)
        self.point.update(found.point.report())
        return found

    def plan(self, current: restore.Found) -> list[Change]:
        """See restore.plan_of."""
        return restore.plan_of(current, self._params["directory"])

    def apply(self, changes: list[Change]) -> None:
        """See restore.carry_out."""
        owner = (self._params["owner"], self._params["group"])
        for change in changes:
            restore.carry_out(
                self._repository, change.data, self._params["directory"], owner, self._params["timeout_s"]
            )

    def controls(self, current: restore.Found) -> list[Control]:
        """See restore.controls."""
        return restore.controls(current)


def main() -> None:
    """Read the options and converge."""
    module = AnsibleModule(
        argument_spec={
            **restic.ARGUMENTS,
            "name": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "owner": {"type": "int", "required": True},
            "group": {"type": "int", "required": True},
            "database": {"type": "dict", "required": True, "options": WHERE},
            "timeout_s": {"type": "int", "default": 14400},
        },
        supports_check_mode=True,
    )
    if database.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database.IMPORT_ERROR)
    capability = FilestoreRestore(module.params)
    run(module, capability, lock="filestore", point=capability.point)


if __name__ == "__main__":
    main()
