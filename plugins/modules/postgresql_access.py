#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles, databases, extensions, grants, default privileges and replication slots of a PostgreSQL cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_access
short_description: Converge who may do what in a PostgreSQL cluster
version_added: 0.1.0
description:
  - Converges roles, databases, extensions, grants, default privileges and physical replication slots in one call,
    through the local socket as the operating system user C(postgres).
  - >-
    On a standby everything but slots comes from the primary; there only slots of the estate that nobody uses are
    dropped, since they would keep WAL for ever.
  - Passwords stay in this module. It compares the SCRAM verifiers that the server keeps, and sends a new verifier when
    one does not fit, with the server's statement log off.
  - Roles, databases, memberships of other roles and slots of other names are left alone.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.postgresql_server
options:
  roles:
    description: Roles. None of them is superuser, may make databases or roles, or bypass row security.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the role.
        type: str
        required: true
      password:
        description: Its password, printable ASCII. A role that may log in needs one, any other has none.
        type: str
      login:
        description: Whether it may log in.
        type: bool
        default: true
      replication:
        description: Whether it may stream.
        type: bool
        default: false
      member_of:
        description: The roles it is a member of, exactly.
        type: list
        elements: str
        default: []
      settings:
        description: >-
          Its defaults for settings of the server, exactly, as single values. What is set for one database alone stays.
        type: dict
        default: {}
      second:
        description: >-
          Name of the role's second login, for a change of its password without a gap. It is a member of the role, takes
          it when it connects, and has its settings.
        type: str
      second_password:
        description: >-
          Password of the second login. Left out, that login is not to be there, see O(drop_second).
        type: str
  drop_second:
    description:
      - Whether second logins without a password are dropped. What one of them owns becomes its role's. Refused, for all
        of them, while one has sessions; the end of these is waited for, half a minute at most.
      - Otherwise one that is found is left as it is and fails the control C(postgresql.access.rotation). That nobody
        uses it now does not mean that nobody will.
    type: bool
    default: false
  databases:
    description: Databases and what may be done in them. What C(PUBLIC) holds on them is taken away.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the database.
        type: str
        required: true
      owner:
        description: >-
          Its owner; a missing database is made from C(template0). Left out, it is there anyway and keeps its owner.
        type: str
      connect:
        description: Privileges on the database, by role.
        type: dict
        default: {}
      create:
        description: Privileges on its schema C(public), by role. Left out, the schema is not managed.
        type: dict
      extensions:
        description: Extensions that have to be there, in the schema C(public).
        type: list
        elements: str
        default: []
      immutable:
        description: Functions of extensions to be marked immutable, as signatures, so that Odoo may index by them.
        type: list
        elements: str
        default: []
      tables:
        description: >-
          Privileges on all tables, views and sequences of its schema C(public), by role - on those that are there and
          on those that O(databases[].creators) will make. Roles in O(roles) and C(PUBLIC) hold exactly these; creators
          themselves and what belongs to extensions are not judged. Left out, they are not managed.
        type: dict
      creators:
        description: Roles that make tables, whose default privileges are set for O(databases[].tables).
        type: list
        elements: str
        default: []
      execute:
        description: >-
          Functions of C(pg_catalog) that a role may call although they are the superuser's, as signatures, by role.
          Left out, they are not managed.
        type: dict
      locale:
        description: C(encoding), C(collate) and C(ctype) of a new database.
        type: dict
        default: {encoding: UTF8, collate: C, ctype: C.UTF-8}
  standbys:
    description: The other members. On a primary each has a slot of its own; slots of members that are gone are dropped.
    type: list
    elements: str
    default: []
  settings:
    description: >-
      The settings as they are to be, for RV(pending_restart) - in check mode no file has them yet, and Patroni has some
      of them in none.
    type: dict
    default: {}
  exclusive:
    description: >-
      Whether roles of others fail the control C(postgresql.access.strangers). It names those that may log in, are
      superuser or members of PostgreSQL's own C(pg_*) roles, and are neither in O(roles) nor C(postgres). They stay.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: The application may make tables, reporting may read them, nobody else may connect
  retailerp.estate.postgresql_access:
    version: "17"
    roles:
      - {name: shop_owner, login: false}
      - {name: shop_application, password: "{{ estate_secrets.postgresql_application }}"}
      - name: shop_reporting
        password: "{{ estate_secrets.postgresql_reporting }}"
        settings: {default_transaction_read_only: true, statement_timeout: 5min}
      - {name: shop_replication, password: "{{ estate_secrets.postgresql_replication }}", replication: true}
    databases:
      - name: shop
        owner: shop_owner
        connect: {shop_application: [CONNECT, TEMPORARY], shop_reporting: [CONNECT]}
        create: {shop_application: [USAGE, CREATE], shop_reporting: [USAGE]}
        tables: {shop_reporting: [SELECT]}
        creators: [shop_application]
        extensions: [pg_trgm, unaccent]
        immutable: [unaccent(text)]
      - name: postgres
        connect: {shop_replication: [CONNECT]}
        execute:
          shop_replication: ["pg_ls_dir(text,boolean,boolean)"]
    standbys: [db2]

- name: Let monitoring in by two passwords while one of them changes
  retailerp.estate.postgresql_access:
    version: "17"
    roles:
      - name: shop_monitor
        password: "{{ estate_secrets.postgresql_monitor }}"
        member_of: [pg_monitor]
        second: shop_monitor_next
        second_password: "{{ estate_secrets_next.postgresql_monitor }}"
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode. Passwords only tell that they differ.
  returned: always
  type: list
  elements: dict
  sample:
    - resource: role shop_application
      action: update
      before: LOGIN NOSUPERUSER CREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION
      after: LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION
pending_restart:
  description: Names of settings that wait for a restart of the server.
  returned: always
  type: list
  elements: str
  sample: [max_connections]
second_logins:
  description: Names of the second logins that are there.
  returned: always
  type: list
  elements: str
  sample: [shop_application_next]
controls:
  description: Who else has access; in check mode, instead, that a stopped server could not be read.
  returned: always
  type: list
  elements: dict
  sample:
    - id: postgresql.access.strangers
      title: Only the estate's roles log in, are superuser or have powers of the system
      state: fail
      observed: ["consultant: login, pg_read_all_data"]
      expected: []
      reason: drop these roles, or take their login and memberships away; no run does that
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import (
    access,
    access_client,
    second,
    server,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import (
    Current,
    Database,
    Desired,
    Role,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import READY
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.settings import text
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control

#: Seconds a release of Odoo that was just stopped may take to be gone from the server.
PATIENCE_S = 30


class Access:
    """The capability: what is in the cluster besides data. `pending_restart`, `second_logins` are of the last read."""

    def __init__(self, params: dict, desired: Desired, check_mode: bool) -> None:
        self.port = params["port"]
        self.layout = server.Layout.of(params)
        self.desired = desired
        self.exclusive = params["exclusive"]
        self.check_mode = check_mode
        foretell = check_mode or params["manager"] == "patroni"
        self.settings = {name: text(value) for name, value in params["settings"].items()} if foretell else {}
        self.pending_restart: list[str] = []
        self.second_logins: list[str] = []

    def read(self) -> Current | None:
        """The server's state; in check mode a bare host has an empty one, and a stopped server none (None)."""
        instance = server.read_instance(self.layout, "local")
        if self.check_mode and instance.data != READY:
            return Current()
        if self.check_mode and not instance.running:
            return None
        current = access_client.read(self.port, self.desired, self.settings)
        end = time.monotonic() + (0 if self.check_mode else PATIENCE_S)
        while second.in_use(current, self.desired) and time.monotonic() < end:
            time.sleep(1)
            current = access_client.read(self.port, self.desired, self.settings)
        self.pending_restart[:] = current.pending_restart
        self.second_logins[:] = sorted(name for name in self.desired.second if name in current.roles)
        return current

    def plan(self, current: Current | None) -> list[Change]:
        """Pure; see module_utils/postgresql/access.py."""
        return access.plan(current, self.desired) if current else []

    def apply(self, changes: list[Change]) -> None:
        """Run the statements."""
        access_client.apply(self.port, changes)

    def controls(self, current: Current | None) -> list[Control]:
        """Who else has access; where nothing could be read, that."""
        if current:
            return [access.strangers(current, self.desired, self.exclusive), second.left(current, self.desired)]
        title, reason = "Roles and grants could be read", "the server is stopped; a run starts it and then compares"
        return [Control("postgresql.access.readable", title, "fail", "stopped", "running", reason)]


def desired_of(params: dict) -> Desired:
    """The options as dataclasses."""
    roles, second_logins = [], {}
    for option in params["roles"]:
        role = Role(
            name=option["name"],
            password=option["password"],
            login=option["login"],
            replication=option["replication"],
            member_of=tuple(option["member_of"]),
            settings={name.lower(): text(value) for name, value in option["settings"].items()},
        )
        roles.append(role)
        if option["second"]:
            second_logins[option["second"]] = role.name
            if option["second_password"]:
                roles.append(second.of(role, option["second"], option["second_password"]))
    slots = tuple(access.slot_name(member) for member in params["standbys"])
    databases = tuple(Database.of(option) for option in params["databases"])
    return Desired(tuple(roles), databases, slots, second_logins, params["drop_second"])


def main() -> None:
    """Entry point."""
    role = {
        "name": {"type": "str", "required": True},
        "password": {"type": "str", "no_log": True},
        "login": {"type": "bool", "default": True},
        "replication": {"type": "bool", "default": False},
        "member_of": {"type": "list", "elements": "str", "default": []},
        "settings": {"type": "dict", "default": {}},
        "second": {"type": "str"},
        "second_password": {"type": "str", "no_log": True},
    }
    database = {
        "name": {"type": "str", "required": True},
        "owner": {"type": "str"},
        "connect": {"type": "dict", "default": {}},
        "create": {"type": "dict"},
        "extensions": {"type": "list", "elements": "str", "default": []},
        "immutable": {"type": "list", "elements": "str", "default": []},
        "tables": {"type": "dict"},
        "creators": {"type": "list", "elements": "str", "default": []},
        "execute": {"type": "dict"},
        "locale": {"type": "dict", "default": {"encoding": "UTF8", "collate": "C", "ctype": "C.UTF-8"}},
    }
    module = AnsibleModule(
        argument_spec={
            **server.ARGUMENTS,
            "roles": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": role,
                "required_if": [("login", True, ("password",))],
                "required_by": {"second_password": ("second",)},
            },
            "databases": {"type": "list", "elements": "dict", "default": [], "options": database},
            "standbys": {"type": "list", "elements": "str", "default": []},
            "settings": {"type": "dict", "default": {}},
            "exclusive": {"type": "bool", "default": False},
            "drop_second": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    capability = Access(module.params, desired_of(module.params), module.check_mode)
    more = {"pending_restart": capability.pending_restart, "second_logins": capability.second_logins}
    runner.run(module, capability, **more)


if __name__ == "__main__":
    main()
