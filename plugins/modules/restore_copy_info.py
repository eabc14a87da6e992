#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy that lies in a directory, and whether it may come into an estate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_copy_info
short_description: Read a copy of a shop and say whether it may come into an estate
version_added: 0.1.0
description:
  - Reads the directory that the playbook C(copy_out) filled, on the controller, and the whole of its files.
  - Fails with every reason why it does not come into the estate - an estate in production, files that are missing or
    not what the record says, another series of Odoo, modules that the estate plans and the copy lacks, extensions of
    PostgreSQL that its database does not get.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
options:
  path:
    description: The directory.
    type: path
    required: true
  environment:
    description: The estate's environment.
    type: str
    required: true
  series:
    description: The series of Odoo that the estate plans.
    type: str
    required: true
  modules:
    description: Modules that the estate plans.
    type: list
    elements: str
    default: []
  extensions:
    description: Extensions of PostgreSQL that its database gets.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: See whether the copy may come in
  retailerp.estate.restore_copy_info:
    path: /srv/copies/shop-monday
    environment: test
    series: "14.0"
    modules: [base, web, sale_management, stock]
    extensions: [pg_trgm, unaccent]
  delegate_to: localhost
  become: false
"""

RETURN = r"""
told:
  description: What the record tells of it; its C(id) is the same only for the same copy.
  returned: success
  type: dict
  sample:
    id: 3f9c2b7d51e0a864
    estate: shop
    point: {name: 20261128t013000z, at: "2026-11-28T01:30:00Z"}
    made: "2026-11-28T09:12:44Z"
    odoo: {series: "14.0", image: "registry.example.com/odoo@sha256:9f86…"}
    server_version: "17.6"
    attachments: 20412
    lost: []
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.copies import packed, record


def main() -> None:
    """Read the options and the directory."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "environment": {"type": "str", "required": True},
            "series": {"type": "str", "required": True},
            "modules": {"type": "list", "elements": "str", "default": []},
            "extensions": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    said = module.params
    target = record.Target(said["environment"], said["series"], tuple(said["modules"]), tuple(said["extensions"]))
    paths = {name: os.path.join(said["path"], name) for name in (*record.PARTS, record.RECORD)}
    try:
        text = None
        if os.path.isfile(paths[record.RECORD]):
            with open(paths[record.RECORD], encoding="utf-8", errors="replace") as file:
                text = file.read()
        parts = {name: packed.told(paths[name]) for name in record.PARTS if os.path.isfile(paths[name])}
    except OSError as err:
        module.fail_json(msg=f"the copy cannot be read: {err}")
    problems = record.problems(text, parts, target)
    if problems:
        module.fail_json(msg=f"the copy in {said['path']} stays out:\n" + "\n".join(f"- {one}" for one in problems))
    module.exit_json(changed=False, told=record.report(text))


if __name__ == "__main__":
    main()
