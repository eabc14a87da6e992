#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data directory of one member of a PostgreSQL cluster, and the restarts its settings wait for."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_cluster
short_description: Create, clone or leave a member's data directory, and restart it when settings wait for that
version_added: 0.1.0
description:
  - On a bare primary makes a new cluster with data checksums; on a bare standby takes a base backup of the primary over
    TLS, with the primary's certificate verified, through the member's own replication slot.
  - >-
    Roles follow the cluster - O(role) is obeyed only while no member holds data. After a failover the module acts by
    what it finds. It refuses, naming the members, where two of them are primary, where they are different clusters,
    where a member was left behind by a promotion, and where a new, empty cluster would hide another member's data.
  - >-
    Nothing is lost - a data directory is only ever replaced when it is a standby of the same cluster and the primary
    says it no longer has the WAL that this standby needs next. A new one is made beside it and renamed into place when
    it is whole; a killed run is done again from the start.
  - Neither writes configuration nor starts the server; M(retailerp.estate.config_set) does both.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.postgresql_server
  - retailerp.estate.patroni_api
  - retailerp.estate.postgresql_member
options:
  role:
    description: What this member becomes while no member holds data.
    type: str
    choices: [primary, standby]
    required: true
  found:
    description: >-
      The C(instance) that M(retailerp.estate.postgresql_replication_info) returned for each of the other members. Those
      left out are unknown, and with an unknown member no new primary is made.
    type: list
    elements: dict
    default: []
  locale:
    description: What a new cluster is made with.
    type: dict
    default: {}
    suboptions:
      encoding:
        description: Character encoding.
        type: str
        default: UTF8
      collate:
        description: Sort order; C is what Odoo asks for.
        type: str
        default: C
      ctype:
        description: Character classes; upper and lower case need UTF-8 here.
        type: str
        default: C.UTF-8
  restart:
    description: >-
      Restart the server when settings wait for it. A standby is left alone as long as it would refuse to start because
      the primary still runs with a larger value.
    type: bool
    default: false
  primary_restarted:
    description: Whether the primary was restarted before, so that check mode counts on its new values.
    type: bool
    default: false
  settings:
    description: >-
      The settings as they are to be, for what no file of the server tells: in check mode those not written yet, under
      Patroni those it starts the server with.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Make db2 a standby of db1
  retailerp.estate.postgresql_cluster:
    member: db2
    members: {db1: 10.77.0.31, db2: 10.77.0.32}
    role: standby
    found: ["{{ hostvars.db1.postgresql_found.instance }}"]
    version: "17"
    replication_user: shop_replication
    replication_password: "{{ estate_secrets.postgresql_replication }}"
    ca_file: /etc/estate/tls/postgresql/ca.pem
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - resource: data directory /var/lib/postgresql/17/main
      action: create
      before: null
      after: "standby: base backup of the primary"
controls:
  description: What was checked; this module has none, M(retailerp.estate.postgresql_replication_info) has.
  returned: always
  type: list
  elements: dict
  sample: []
"""

import contextlib
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.patroni import api
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import (
    client,
    cluster,
    member,
    server,
    settings,
    status,
    upstream,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access import slot_name
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

RESTART_S = 120
CATCH_UP_S = 30
"""A standby tries its primary again every five seconds."""


class Cluster:
    """The capability: one member of the cluster."""

    def __init__(self, params: dict, lock: int | None) -> None:
        self.params = params
        self.lock = lock
        self.patroni = params["manager"] == "patroni"
        self.settings = {name: settings.text(value) for name, value in params["settings"].items()}
        self.layout = server.Layout.of(params)
        self.upstream = upstream.of(params)
        others = [name for name in params["members"] if name != params["member"]]
        found = {instance["name"]: instance for instance in params["found"]}
        self.desired = cluster.Desired(
            role=params["role"],
            directory=self.layout.directory,
            unit=self.layout.unit,
            peers=tuple(cluster.Instance.of(name, found.get(name)) for name in others),
            restart=params["restart"],
            patroni=self.patroni,
        )

    def read(self) -> cluster.Current:
        """The data directory, and of a running server what waits for a restart or for WAL."""
        own = server.read_instance(self.layout, self.params["member"])
        leftovers = server.leftovers(self.layout)
        rival = not self.patroni and server.is_active(self.layout.rival)
        if own.data != cluster.READY:
            return cluster.Current(own, leftovers, fenced=member.is_fenced(), rival=rival)
        pending: tuple[cluster.Pending, ...] = ()
        if own.running and self.desired.restart:
            with client.connect(self.params["port"], wait_s=30) as connection:
                # Without a lock it is check mode.
                pending = server.waiting(connection, self.settings if self.patroni or self.lock is None else {})
        return cluster.Current(
            own=own,
            leftovers=leftovers,
            hopeless=self._hopeless(own),
            pending=pending,
            primary_settings=self._primary_settings(own) if pending else {},
            fenced=member.is_fenced(),
            permitted=member.is_permitted(),
            rival=rival,
        )

    def plan(self, current: cluster.Current) -> list[Change]:
        """Pure; see module_utils/postgresql/cluster.py."""
        return cluster.plan(current, self.desired)

    def apply(self, changes: list[Change]) -> None:
        """Carry out each step."""
        for change in changes:
            getattr(self, f"_{change.data}")()

    def controls(self, current: cluster.Current) -> list[Control]:
        """None: what must hold of a running cluster is postgresql_replication_info's."""
        return []

    def _hopeless(self, own: cluster.Instance) -> bool:
        """Whether the primary of the same cluster says that the WAL this standby waits for is gone. Doubt means no."""
        if own.role != cluster.STANDBY or not own.running:
            return False
        position = status.starved(self.layout, self.params["port"])
        if position is None:
            return False
        with contextlib.suppress(EstateError):
            same = self.upstream.identify() == own.system_identifier
            return same and not self.upstream.has_wal(position, own.timeline or 1)
        return False

    def _primary_settings(self, own: cluster.Instance) -> dict[str, int]:
        """The primary's values as this member has replayed them; catches up with a primary just restarted."""
        if self.lock is None and self.params["primary_restarted"]:
            return {}
        with contextlib.suppress(EstateError):
            live = self.upstream.settings(cluster.NEVER_LESS_THAN_PRIMARY) if own.role == cluster.STANDBY else {}
            deadline = time.monotonic() + CATCH_UP_S
            while live and time.monotonic() < deadline:
                if server.primary_settings(server.control_data(self.layout)) == live:
                    break
                time.sleep(0.5)
        return server.primary_settings(server.control_data(self.layout))

    def _initialise(self) -> None:
        server.initialise(self.layout, self.params["locale"], self.lock)
        member.permit()

    def _permit(self) -> None:
        member.permit()

    def _unfence(self) -> None:
        member.unfence()

    def _clone(self) -> None:
        self.upstream.identify()
        with self.upstream.passfile() as passfile:
            # Patroni makes a slot once it knows the member.
            slot = None if self.patroni else slot_name(self.params["member"])
            server.clone(self.layout, self.upstream.conninfo(), slot, passfile, self.lock)

    def _replace(self) -> None:
        # Its slot is in use by nobody, so the base backup can have it; the old directory stays until then.
        server.systemctl("stop", self.layout.unit)
        try:
            self._clone()
        finally:
            server.systemctl("start", self.layout.unit)

    def _clean(self) -> None:
        server.clean(self.layout)

    def _restart(self) -> None:
        if self.patroni:
            api.restart(api.of(self.params["api"]), RESTART_S)
            return
        if server.read_instance(self.layout, self.params["member"]).role == cluster.PRIMARY:
            member.permit()
        server.restart(self.layout, self.params["port"])


def main() -> None:
    """Entry point."""
    locale = {
        "encoding": {"type": "str", "default": "UTF8"},
        "collate": {"type": "str", "default": "C"},
        "ctype": {"type": "str", "default": "C.UTF-8"},
    }
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["primary", "standby"], "required": True},
            "found": {"type": "list", "elements": "dict", "default": []},
            **server.ARGUMENTS,
            **upstream.ARGUMENTS,
            "locale": {"type": "dict", "default": {}, "options": locale},
            "restart": {"type": "bool", "default": False},
            "primary_restarted": {"type": "bool", "default": False},
            "settings": {"type": "dict", "default": {}},
            "api": {"type": "dict", "options": api.PLACE},
        },
        required_if=[("manager", "patroni", ("api",))],
        supports_check_mode=True,
    )
    runner.run_holding(module, "postgresql_cluster", lambda lock: (Cluster(module.params, lock), {}))


if __name__ == "__main__":
    main()
