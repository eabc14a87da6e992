#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of an Odoo database that acts on nobody."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_neutralise
short_description: Keep a copy of an Odoo database from acting on the world
version_added: 0.1.0
description:
  - Switches off mail servers, fetched mailboxes, scheduled jobs, automated actions, webhooks, payment, carriers and
    accounts at other services, calls off what waits to be sent, and leads links to the copy. In one transaction.
  - Run it on a database that was restored and that no Odoo serves yet. It refuses a database that one is connected to,
    and the one that the estate serves.
  - What a series or an estate does not have is passed over.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.odoo_database
requirements:
  - python3-psycopg 3.1 or later on the host.
options:
  url:
    description: The address at which people reach the copy.
    type: str
    required: true
  original:
    description: The database that the estate serves, which is refused.
    type: dict
    required: true
    suboptions:
      name: {description: "The database.", type: str, required: true}
      addresses: {description: "Where its servers are.", type: list, elements: str, required: true}
      url: {description: "The address at which people reach it.", type: str, required: true}
"""

EXAMPLES = r"""
- name: Let the copy act on nobody
  retailerp.estate.odoo_neutralise:
    database:
      hosts: {db9: 10.0.0.39}
      name: shop_copy
      user: shop_application
      password: "{{ estate_secrets.postgresql_application }}"
      ca_file: /etc/estate/filestore/ca.pem
    url: https://copy.example.com
    original: {name: shop, addresses: [10.0.0.31, 10.0.0.32], url: https://shop.example.com}
"""

RETURN = r"""
controls:
  description: That nothing in the copy acts.
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
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run

ORIGINAL = {
    "name": {"type": "str", "required": True},
    "addresses": {"type": "list", "elements": "str", "required": True},
    "url": {"type": "str", "required": True},
}


class OdooNeutralise:
    """See the module's documentation."""

    def __init__(self, params: dict) -> None:
        self._url, self._copy = params["url"], Copy(params["database"])

    def read(self) -> neutral.Found:
        """See Copy.look."""
        return self._copy.look()

    def plan(self, current: neutral.Found) -> list[Change]:
        """See neutral.plan."""
        return neutral.plan(current, self._url)

    def apply(self, changes: list[Change]) -> None:
        """See Copy.stop."""
        self._copy.stop(changes)

    def controls(self, current: neutral.Found) -> list[Control]:
        """See neutral.controls."""
        return neutral.controls(current, self._url)


def main() -> None:
    """Read the options and converge."""
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "dict", "required": True, "options": WHERE},
            "url": {"type": "str", "required": True},
            "original": {"type": "dict", "required": True, "options": ORIGINAL},
        },
        supports_check_mode=True,
    )
    params = module.params
    if database.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database.IMPORT_ERROR)
    refusal = neutral.refusal(params["database"], params["url"], params["original"])
    if refusal:
        module.fail_json(msg=refusal)
    run(module, OdooNeutralise(params), lock=f"odoo_neutralise-{params['database']['name']}")


if __name__ == "__main__":
    main()
