#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stanza of a cluster in each of its stores, and a backup made now."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_backup
short_description: Make or upgrade the stanza of a cluster's backups, prove the archive, make a backup
version_added: 0.1.0
description:
  - Compares what pgBackRest says of the stanza with the cluster that runs. On the primary alone makes the stanza where a
    store lacks it, and upgrades it after the cluster was upgraded. On a standby nothing is done.
  - Outside check mode the primary then proves the archive with C(pgbackrest check) - a segment of WAL is switched and
    must arrive in every store.
  - A store that holds another cluster of the same version is refused, since pgBackRest would take it over.
  - Goes by the configuration on the host, which the role C(retailerp.estate.postgresql_backup) writes.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.postgresql_server
options:
  stanza:
    description: Name of the stanza.
    type: str
    required: true
  repositories:
    description: Numbers of the stores.
    type: list
    elements: int
    default: [1]
  role:
    description: What this member becomes where no data is there yet.
    type: str
    choices: [primary, standby]
    default: primary
  now:
    description: >-
      Make a backup of this type at once, in every store, and wait for its end. This is the one thing that a second run
      does again.
    type: str
    choices: [full, diff, incr]
"""

EXAMPLES = r"""
- name: Make the stanza
  retailerp.estate.postgresql_backup:
    stanza: shop
    repositories: [1, 2]

- name: Make a full backup
  retailerp.estate.postgresql_backup:
    stanza: shop
    now: full
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {resource: stanza shop, action: create, before: null, after: in store 1}
controls:
  description: What must hold, and whether it does.
  returned: success
  type: list
  elements: dict
  sample:
    - id: backup.check
      title: A segment of WAL that is switched now arrives in every store
      state: pass
      observed: arrived
      expected: arrived
      reason: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import backup, backup_client, server
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control

ARGUMENTS = {
    "stanza": {"type": "str", "required": True},
    "repositories": {"type": "list", "elements": "int", "default": [1]},
    "role": {"type": "str", "choices": ["primary", "standby"], "default": "primary"},
    "now": {"type": "str", "choices": list(backup.TYPES)},
    **server.ARGUMENTS,
}


class Stanza:
    """The capability: one stanza, as one member sees it."""

    def __init__(self, params: dict, check_mode: bool) -> None:
        self.stanza, self.stores = params["stanza"], tuple(params["repositories"])
        self.role, self.now, self.check_mode = params["role"], params["now"], check_mode
        self.layout = server.Layout.of(params)
        self.before: dict | None = None

    def read(self) -> backup.Current:
        """The member, and pgBackRest's account."""
        own = server.read_instance(self.layout, "this host")
        found = backup.Current(own, self.layout.version, backup_client.account(self.stanza, self.stores))
        if self.before is None:
            newest = {number: found.account.newest(number) for number in self.stores}
            self.before = {number: one.label if one else None for number, one in newest.items()}
        return found

    @property
    def desired(self) -> backup.Desired:
        return backup.Desired(self.stanza, self.stores, self.role, self.now, self.before)

    def plan(self, current: backup.Current) -> list[Change]:
        """Pure; see module_utils/postgresql/backup.py."""
        return backup.plan(current, self.desired)

    def apply(self, changes: list[Change]) -> None:
        """Carry out each step."""
        for change in changes:
            getattr(self, f"_{change.data}")()

    def _create(self) -> None:
        backup_client.must(self.stanza, "stanza-create", timeout_s=backup_client.CHECK_S)

    def _upgrade(self) -> None:
        backup_client.must(self.stanza, "stanza-upgrade", timeout_s=backup_client.CHECK_S)

    def _back_up(self) -> None:
        backup_client.back_up(self.now)

    def controls(self, current: backup.Current) -> list[Control]:
        """The proof of the archive, by the primary."""
        if self.check_mode or not backup.acts(current, self.desired):
            return []
        code, out, err = backup_client.call(self.stanza, "check", timeout_s=backup_client.CHECK_S)
        return [
            Control.check(
                "backup.check",
                "A segment of WAL that is switched now arrives in every store",
                backup_client.complaint(out, err) if code else "arrived",
                "arrived",
                "see /var/log/pgbackrest and the server's log",
            )
        ]


def main() -> None:
    """Converge, prove, leave."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    runner.run(module, Stanza(module.params, module.check_mode), lock="postgresql_backup")


if __name__ == "__main__":
    main()
