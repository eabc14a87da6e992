#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a member of a PostgreSQL cluster is and how it does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_replication_info
short_description: Tell a member's role, replication and controls
version_added: 0.1.0
description:
  - Reads the data directory, and the server when it runs. Changes nothing; a bare host is an answer, too.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.postgresql_server
options:
  member:
    description: This member's name.
    type: str
    required: true
  standbys:
    description: The other members; each must stream from this one if this one is primary.
    type: list
    elements: str
    default: []
  wait_s:
    description: For how many seconds replication that is not up yet is waited for.
    type: float
    default: 0
  synchronous:
    description: Whether commits must wait for a standby; the primary then fails a control when none is waited for.
    type: bool
    default: false
  limits:
    description: Beyond these a control fails.
    type: dict
    default: {}
    suboptions:
      max_lag_bytes:
        description: Bytes a standby may be behind. The default is four WAL segments.
        type: int
        default: 67108864
      max_lag_seconds:
        description: Seconds a standby may be behind.
        type: float
        default: 30
      max_connections_percent:
        description: Connections in use, per cent of C(max_connections).
        type: int
        default: 90
      min_wal_free_bytes:
        description: Bytes free on the file system that holds C(pg_wal). The default is 64 WAL segments.
        type: int
        default: 1073741824
      min_wal_free_percent:
        description: Per cent free of that file system.
        type: int
        default: 10
      min_slot_bytes:
        description: >-
          Bytes of WAL that may still be written before a slot loses what its standby needs. The default is a quarter of
          the plan's C(max_slot_wal_keep_size).
        type: int
        default: 1073741824
      max_transaction_seconds:
        description: Age of the oldest transaction, in seconds. The default is the plan's C(statement_timeout).
        type: int
        default: 3600
      max_idle_seconds:
        description: >-
          How long a transaction may be idle, in seconds. The default is the plan's
          C(idle_in_transaction_session_timeout).
        type: int
        default: 600
      max_freeze_percent:
        description: >-
          Age of the oldest row that is not frozen, per cent of C(autovacuum_freeze_max_age) or its multixact twin. At
          100 autovacuum begins with it; far above, it does not get through.
        type: int
        default: 150
      max_wraparound_percent:
        description: >-
          The same age, per cent of the 2^31 at which the server stops taking writes. At 75 vacuum drops all else.
        type: int
        default: 50
"""

EXAMPLES = r"""
- name: See how replication does
  retailerp.estate.postgresql_replication_info:
    member: db1
    version: "17"
    standbys: [db2]
    limits: {max_connections_percent: 80}
  register: postgresql_status
"""

RETURN = r"""
instance:
  description: What this member is, running or not, whether a pooler of the estate is in front of it, whether a failover
    left it waiting for no standby until one is back, whether a package of Debian that is installed now would make no
    cluster of its own.
  returned: always
  type: dict
  sample:
    name: db1
    version: "17"
    pooled: false
    degraded: false
    package_makes_none: true
    data: ready
    role: primary
    running: true
    system_identifier: "7431234567890123456"
    timeline: 1
    state: in production
status:
  description: What the running server says; empty when it does not run.
  returned: always
  type: dict
  sample:
    version: "17.6"
    current_lsn: 0/3000148
    timeline: 1
    connections: 5
    max_connections: 80
    replication: [{member: db2, state: streaming, sync_state: async, ssl: true, lag_bytes: 0, lag_seconds: 0.001}]
    slots: [{name: estate_db2, active: true, wal_status: reserved, safe_wal_bytes: 4311744512, kept_bytes: 0}]
    receiver: null
    vitals:
      wal_bytes: 83886080
      wal_free_bytes: 51539607552
      wal_free_percent: 61
      checksum_failures: 0
      oldest_transaction: {seconds: 0.4, pid: 4711, role: shop_application, application: odoo-4242}
      oldest_idle: null
      transaction_age: 81234
      multixact_age: 12
      freeze_percent: 1
      wraparound_percent: 1
    pending_restart: []
    errors: []
    shortfalls: ["synchronous_commit = off (role shop_application)"]
vitals:
  description: >-
    Controls that people want to hear of - disk, connections, old transactions, wraparound, pages that failed - and that
    are no reason not to move or mend a member. Empty when the server does not run.
  returned: success
  type: list
  elements: dict
  sample:
    - id: postgresql.wal.free_percent
      title: Free part of the file system where the WAL lies, per cent
      state: pass
      observed: 61
      expected: at least 10
      reason: ""
controls:
  description: What must hold when members are moved or changed (replication, TLS, configuration), and whether it does.
  returned: always
  type: list
  elements: dict
  sample:
    - id: postgresql.replication.db2.tls
      title: db2 streams over TLS
      state: pass
      observed: true
      expected: true
      reason: ""
"""

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import health, member, server, status
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control

POOLER = "/etc/estate/pgbouncer/pgbouncer.ini"
"""Of the role pgbouncer: whether one stands in front of the server."""
PACKAGE = "/etc/postgresql-common/createcluster.d/estate.conf"
"""Of the role postgresql: createcluster.conf(5)."""


def _lines(path: str) -> list[str]:
    """Of a file that may not be there."""
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


class Info(runner.Reading):
    """The capability: reading only. `instance`, `status` and `vitals` are of the last read, for the answer."""

    def __init__(self, params: dict) -> None:
        self.params = params
        self.standbys = tuple(params["standbys"])
        self.limits = health.Limits(**params["limits"])
        self.instance: dict = {}
        self.status: dict = {}
        self.vitals: list[dict] = []

    def read(self) -> tuple[health.Instance, health.Status | None]:
        """The instance and its status."""
        layout = server.Layout.of(self.params)
        found = status.wait(layout, self.params["member"], self.params["port"], self.standbys, self.params["wait_s"])
        self.instance.update(
            vars(found[0]),
            version=layout.version,
            pooled=os.path.exists(POOLER),
            degraded=member.is_degraded(layout),
            package_makes_none="create_main_cluster = false" in _lines(PACKAGE),
        )
        if found[1]:
            self.status.update(status.summary_of(found[1]))
            self.vitals[:] = [control.report() for control in health.vitals(found[1], self.limits)]
        return found

    def controls(self, current: tuple) -> list[Control]:
        """Pure; see module_utils/postgresql/health.py."""
        params = self.params
        prefix = {"slot_prefix": ""} if params["manager"] == "patroni" else {}
        return health.controls(*current, self.standbys, self.limits, synchronous=params["synchronous"], **prefix)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "member": {"type": "str", "required": True},
            **server.ARGUMENTS,
            "standbys": {"type": "list", "elements": "str", "default": []},
            "wait_s": {"type": "float", "default": 0},
            "synchronous": {"type": "bool", "default": False},
            "limits": {"type": "dict", "default": {}, "options": health.LIMITS},
        },
        supports_check_mode=True,
    )
    info = Info(module.params)
    runner.run(module, info, instance=info.instance, status=info.status, vitals=info.vitals)


if __name__ == "__main__":
    main()
