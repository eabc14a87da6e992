#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an Odoo database acts on anybody."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_neutralise_info
short_description: Say whether an Odoo database acts on anybody
version_added: 0.1.0
description:
  - Judges a database by the rules that M(retailerp.estate.odoo_neutralise) goes by. Reads only, so any database may be
    asked, the one that an estate serves, too.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.odoo_database
requirements:
  - python3-psycopg 3.1 or later on the host.
options:
  url:
    description: The address at which people reach it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: See whether the copy acts on anybody
  retailerp.estate.odoo_neutralise_info:
    database:
      hosts: {db9: 10.0.0.39}
      name: shop
      user: shop_application
      password: "{{ estate_secrets.postgresql_application }}"
      ca_file: /etc/estate/filestore/ca.pem
    url: https://copy.example.com
"""

RETURN = r"""
controls:
  description: That nothing in the database acts.
  returned: success
  type: list
  elements: dict
  sample:
    - id: odoo.copy.acting
      title: Nothing in the copy acts on the world
      state: pass
      observed: {}
      expected: {}
      reason: ""
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.retailerp.estate.plugins.module_utils.odoo import database, neutral
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.database import WHERE
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.neutral_store import Copy
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError


def main() -> None:
    """Read the options and the database."""
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "dict", "required": True, "options": WHERE},
            "url": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    if database.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database.IMPORT_ERROR)
    try:
        found = Copy(module.params["database"]).look()
    except EstateError as err:
        module.fail_json(msg=str(err), **err.details)
    controls = [control.report() for control in neutral.controls(found, module.params["url"])]
    module.exit_json(changed=False, controls=controls)


if __name__ == "__main__":
    main()
