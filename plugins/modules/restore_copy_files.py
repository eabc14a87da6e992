#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filestore of a copy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_copy_files
short_description: Let a filestore hold the files of a copy and no others
version_added: 0.1.0
description:
  - Lays what the rows of the copied database name and the disk has not, or has otherwise, each into its place in one
    step; then removes the files that no row names, which belong to the database that was replaced.
  - Run it after M(retailerp.estate.restore_copy_database) and before Odoo starts. It changes nothing while Odoo is
    connected to the database.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.odoo_database
requirements:
  - python3-psycopg 3.1 or later on the host.
options:
  archive:
    description: The copy's C(files.tar), on the host.
    type: path
    required: true
  directory:
    description: The filestore of the database.
    type: path
    required: true
  owner:
    description: Number of the user that owns the files.
    type: int
    required: true
  group:
    description: Number of the group that owns the files.
    type: int
    required: true
  lost:
    description: Files that rows name and no copy has, as M(retailerp.estate.restore_copy_info) tells them.
    type: list
    elements: str
    default: []
  timeout_s:
    description: Seconds that laying files may take.
    type: int
    default: 14400
"""

EXAMPLES = r"""
- name: Files of the copy
  retailerp.estate.restore_copy_files:
    archive: /var/lib/retailerp-estate/copied/files.tar
    directory: /var/lib/docker/volumes/shop-odoo-data/_data/filestore/shop
    owner: 101
    group: 101
    database:
      hosts: {db1: 10.0.0.31, db2: 10.0.0.32}
      name: shop
      user: shop_application
      password: "{{ estate_secrets.postgresql_application }}"
      ca_file: /etc/estate/filestore/ca.pem
"""

RETURN = r"""
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

from ansible_collections.retailerp.estate.plugins.module_utils.copies.files import CopiedFiles
from ansible_collections.retailerp.estate.plugins.module_utils.odoo import database
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.database import WHERE
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run


def main() -> None:
    """Read the options and converge."""
    module = AnsibleModule(
        argument_spec={
            "archive": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "owner": {"type": "int", "required": True},
            "group": {"type": "int", "required": True},
            "database": {"type": "dict", "required": True, "options": WHERE},
            "lost": {"type": "list", "elements": "str", "default": []},
            "timeout_s": {"type": "int", "default": 14400},
        },
        supports_check_mode=True,
    )
    if database.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database.IMPORT_ERROR)
    # The lock of recovery points: none is taken of files that are being exchanged.
    run(module, CopiedFiles(module.params), lock="filestore")


if __name__ == "__main__":
    main()
