#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a pooler by logins through it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pgbouncer_info
short_description: Judge a PgBouncer by logging in through it
version_added: 0.1.0
description:
  - Logs in to each database as the client it is there for, over TLS and checking who answers, asks the server behind
    it how it was reached, and tries once without TLS. Changes nothing.
  - A pooler that is not there is no error but a control that does not hold.
  - The host needs psycopg 3.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
options:
  host:
    description: The name in the pooler's certificate.
    type: str
    required: true
  address:
    description: Where it listens.
    type: str
    required: true
  port:
    description: On which port.
    type: int
    default: 6432
  databases:
    description: Databases to log in to.
    type: list
    elements: str
    required: true
  user:
    description: The role to log in as.
    type: str
    required: true
  password:
    description: Its password.
    type: str
    required: true
  ca_file:
    description: PEM file with the authority that signed the pooler's certificate.
    type: path
    required: true
  unused:
    description: Logins that nobody is to use any more. Needs O(socket).
    type: list
    elements: str
  socket:
    description: Directory of the pooler's socket, where the system user C(pgbouncer) asks it who is logged in.
    type: path
  wait_s:
    description: For how many seconds clients of O(unused) are waited for.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Judge the pooler
  retailerp.estate.pgbouncer_info:
    host: db1
    address: 10.77.0.31
    databases: [shop, postgres]
    user: shop_application
    password: "{{ estate_secrets.postgresql_application }}"
    ca_file: /etc/estate/tls/pgbouncer/ca.pem
"""

RETURN = r"""
logins:
  description: What each login met.
  returned: success
  type: dict
  sample:
    shop: {error: null, server_tls: TLSv1.3, standby: false, told_standby: false}
controls:
  description: What must hold, and whether it does.
  returned: success
  type: list
  elements: dict
  sample:
    - id: pgbouncer.plain
      title: A client without TLS is refused
      state: pass
      observed: refused
      expected: refused
      reason: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import pooler

ARGUMENTS = {
    "host": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "default": 6432},
    "databases": {"type": "list", "elements": "str", "required": True},
    "user": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "ca_file": {"type": "path", "required": True},
    "unused": {"type": "list", "elements": "str"},
    "socket": {"type": "path"},
    "wait_s": {"type": "float", "default": 0},
}
#: Only the console knows who is logged in.
TOGETHER = {"unused": ("socket",)}


def main() -> None:
    """Log in, judge, return."""
    module = AnsibleModule(argument_spec=ARGUMENTS, required_by=TOGETHER, supports_check_mode=True)
    seen = pooler.read(module.params)
    module.exit_json(
        changed=False,
        logins={name: dict(vars(login)) for name, login in seen.logins.items()},
        controls=[control.report() for control in pooler.controls(seen)],
    )


if __name__ == "__main__":
    main()
