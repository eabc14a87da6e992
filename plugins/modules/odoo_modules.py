#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo's database as it must be before anybody may reach it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_modules
short_description: Install Odoo's modules and close its default sign-in
version_added: 0.1.0
description:
  - Reads the database directly, as the application's role over verified TLS, and plans what is missing - modules, the
    language, the first administrator's login (C(admin)) and password, the public address.
  - Missing modules are installed by a container of the release that ends when it is done. States are read again
    afterwards, because Odoo passes over names it does not know without an error.
  - The administrator's password is written as a hash, straight after the installation and before any release serves, so
    that the default one is never reachable.
  - What a killed run left half installed is completed. A container that such a run left at work is waited for.
author: The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.odoo_database
requirements:
  - python3-psycopg (3.1 or later) and python3-docker on the host. Both may be missing in check mode.
options:
  name:
    description: Name of the container that installs, for example C(shop-odoo-once). One at a time may exist.
    type: str
    required: true
  modules:
    description: Modules to be installed, with all they depend on. Others are left alone.
    type: list
    elements: str
    required: true
  language:
    description: A language to be installed.
    type: str
    default: en_US
  url:
    description: The address people use. Odoo is kept from changing it by itself.
    type: str
    required: true
  administrator_password:
    description: Password of the first administrator.
    type: str
    required: true
  container:
    description: A container of the release, as M(retailerp.estate.container_release) takes it.
    type: dict
    required: true
  network:
    description: The bridge network, with its C(name) and C(subnet).
    type: dict
    required: true
  memory_mb:
    description: Limit of memory while modules are installed, in MiB.
    type: int
    default: 2048
  timeout_s:
    description: Seconds an installation may take.
    type: int
    default: 3600
"""

EXAMPLES = r"""
- name: Install the retail applications (minutes on an empty database)
  retailerp.estate.odoo_modules:
    name: shop-odoo-once
    database:
      hosts: {db1: 10.0.0.31, db2: 10.0.0.32}
      name: shop
      user: shop_application
      password: "{{ estate_secrets.postgresql_application }}"
      ca_file: /etc/estate/odoo/4f9d1c0a52e37b88/ca.pem
    modules: [base, web, sale_management, stock]
    url: https://shop.example.com
    administrator_password: "{{ estate_secrets.odoo_administrator }}"
    container: "{{ release.containers | first }}"
    network: {name: estate, subnet: 172.30.1.0/24}
"""

RETURN = r"""
changes:
  description: Each change that was made, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {resource: Odoo module stock, action: create, before: null, after: installed}
controls:
  description: What must hold of the database, judged after the changes.
  returned: success
  type: list
  elements: dict
  sample:
    - id: odoo.modules.pending
      title: No module is left half installed or half upgraded
      state: pass
      observed: []
      expected: []
      reason: ""
log:
  description: The file on the host with the output of the last installation.
  returned: success
  type: str
  sample: /var/log/estate/shop-odoo-once.log
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.retailerp.estate.plugins.module_utils.docker import client
from ansible_collections.retailerp.estate.plugins.module_utils.odoo import database, modules
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.once import Once
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run

#: A database that is just being restarted or failed over comes back within this time, in seconds.
PATIENCE_S = 90


class OdooModules:
    """See the module's documentation. `asked` and `once` are the world; in check mode it may be missing."""

    def __init__(self, wanted: modules.Wanted, asked: database.Database | None, once: Once, check_mode: bool) -> None:
        self._wanted = wanted
        self._database = asked
        self._once = once
        self._check_mode = check_mode

    def read(self) -> modules.Found:
        """The database as it is; where there is none yet, check mode takes it for an empty one."""
        patience = 0 if self._check_mode else PATIENCE_S
        if self._database is None or not self._database.answers(patience):
            return modules.Found(reachable=False, tls=False)
        if not self._check_mode:
            self._once.finish_earlier()
        return self._database.read()

    def plan(self, current: modules.Found) -> list[Change]:
        """See modules.plan."""
        return modules.plan(self._wanted, current)

    def apply(self, changes: list[Change]) -> None:
        """Modules, then the rows that need them."""
        arguments = modules.arguments(changes)
        if arguments:
            self._once.run(arguments)
            # Minutes have passed; the database may be on its way to another host.
            self._database.answers(PATIENCE_S)
            self._refuse_ignored()
        self._database.write([change.data for change in changes], self._wanted.administrator_password)

    def _refuse_ignored(self) -> None:
        """Odoo ends with success when it does not know a module; the database tells."""
        states = self._database.read().modules
        left = [name for name in self._wanted.modules if states.get(name) != "installed"]
        if left:
            raise EstateError(
                f"Odoo did not install {', '.join(left)}: the image has no module of that name, or it cannot be "
                f"loaded; see {self._once.log}"
            )

    def controls(self, current: modules.Found) -> list[Control]:
        """See modules.controls."""
        return modules.controls(self._wanted, current)


def main() -> None:
    """Read the options and converge."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "database": {"type": "dict", "required": True, "options": database.WHERE},
            "modules": {"type": "list", "elements": "str", "required": True},
            "language": {"type": "str", "default": "en_US"},
            "url": {"type": "str", "required": True},
            "administrator_password": {"type": "str", "required": True, "no_log": True},
            "container": {"type": "dict", "required": True},
            "network": {"type": "dict", "required": True},
            "memory_mb": {"type": "int", "default": 2048},
            "timeout_s": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    params = module.params
    if not module.check_mode:
        for library, error in (("psycopg", database.IMPORT_ERROR), ("docker", client.IMPORT_ERROR)):
            if error:
                module.fail_json(msg=missing_required_lib(library), exception=error)
    wanted = modules.Wanted(params["modules"], params["language"], params["url"], params["administrator_password"])
    asked = None if database.IMPORT_ERROR else database.Database(params["database"])
    once = Once(params["name"], params["network"], params["container"], params["memory_mb"], params["timeout_s"])
    capability = OdooModules(wanted, asked, once, module.check_mode)
    run(module, capability, lock=f"odoo_modules-{params['name']}", log=once.log)


if __name__ == "__main__":
    main()
