#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the database of a copy take the place of the one that serves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_copy_database
short_description: Let the database of a copy take the place of the one that serves
version_added: 0.1.0
description:
  - The playbook C(copy_in) puts the steps in order. Runs on the primary; standbys follow.
  - C(staged) loads the dump into a database beside the one that serves, as the application's role, and refuses a copy
    that would act on anybody. C(placed) lets it take the other one's name, both renamed in one transaction; whoever is
    connected is sent away. C(finished) drops the one that served before, and the dump.
  - Interrupted anywhere, the name leads to the old database or to the new one, and the next run with the same copy goes
    on from there. Which copy a database holds stands in its comment.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
options:
  state:
    description: How far to go.
    type: str
    choices: [staged, placed, finished]
    required: true
  id:
    description: The copy, as M(retailerp.estate.restore_copy_info) names it.
    type: str
    required: true
  directory:
    description: A directory of the database's own user with the copy's C(database.dump).
    type: path
    required: true
  server_version:
    description: Version of PostgreSQL that the copy was made on.
    type: str
    required: true
  database:
    description: The database that is replaced, as M(retailerp.estate.postgresql_access) takes it.
    type: dict
    required: true
  user:
    description: The application's role, which owns what is loaded.
    type: str
    required: true
  password:
    description: Its password.
    type: str
    required: true
  timeout_s:
    description: Seconds that loading may take.
    type: int
    default: 14400
  version:
    description: Major version of the server. Without it the one that the distribution packages.
    type: str
  port:
    description: TCP port, which also names the socket.
    type: int
    default: 5432
requirements:
  - python3-psycopg 3.1 or later on the host.
"""

EXAMPLES = r"""
- name: Load the copy beside the database that serves
  retailerp.estate.restore_copy_database:
    state: staged
    id: 3f9c2b7d51e0a864
    directory: /var/lib/postgresql/estate-copy
    server_version: "17.6"
    database:
      name: shop
      owner: shop_owner
      locale: {encoding: UTF8, collate: C, ctype: C.UTF-8}
      extensions: [pg_trgm, unaccent]
      immutable: [unaccent(text)]
      connect: {shop_application: [CONNECT, TEMPORARY]}
      create: {shop_application: [USAGE, CREATE]}
    user: shop_application
    password: "{{ estate_secrets.postgresql_application }}"
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {resource: database shop, action: update, before: as it is, after: the copy 3f9c2b7d51e0a864}
controls:
  description: What was checked; this module has none, M(retailerp.estate.odoo_neutralise_info) has.
  returned: success
  type: list
  elements: dict
  sample: []
through:
  description: Whether the copy serves and nothing is left to do. A one-item dictionary.
  returned: success
  type: dict
  sample: {value: true}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.copies import place, place_client
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import server
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import Database
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control


class CopiedDatabase:
    """The capability: one copy on its way to its place. `through` is of the last read, for the answer."""

    def __init__(self, params: dict[str, Any]) -> None:
        said = self._params = params
        name = said["database"]["name"]
        self._wanted = place.Wanted(name, said["id"], said["state"], said["server_version"])
        self._server = place_client.Server(server.Layout(said["version"]), said["port"], said["directory"])
        self.through: dict[str, bool] = {}

    def read(self) -> place.Found:
        """See Server.read."""
        found = self._server.read(self._wanted)
        self.through["value"] = place.through(found, self._wanted)
        return found

    def plan(self, current: place.Found) -> list[Change]:
        """See place.plan."""
        return place.plan(current, self._wanted)

    def apply(self, changes: list[Change]) -> None:
        """Each step, in order."""
        said, wanted = self._params, self._wanted
        beside = Database.of({**said["database"], "name": wanted.new})
        for step, name in (change.data for change in changes):
            if step == "drop":
                self._server.drop(name)
            elif step == "load":
                self._server.load(wanted, beside, said["user"], said["password"], said["timeout_s"])
            elif step == "swap":
                self._server.swap(wanted)
            else:
                self._server.forget()

    def controls(self, current: place.Found) -> list[Control]:
        """None: odoo_neutralise_info judges the database as Odoo will see it."""
        return []


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": list(place.STATES), "required": True},
            "id": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "server_version": {"type": "str", "required": True},
            "database": {"type": "dict", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "timeout_s": {"type": "int", "default": 14400},
            "version": {"type": "str"},
            "port": {"type": "int", "default": 5432},
        },
        supports_check_mode=True,
    )
    copied = CopiedDatabase(module.params)
    runner.run(module, copied, lock="restore_copy", through=copied.through)


if __name__ == "__main__":
    main()
