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
  - Compares what pgBackRest says of the stanza with the cluster that runs. Makes the stanza where a store lacks it, and
    upgrades it after the cluster was upgraded. Where a store has no backup yet, a full one is made.
  - Outside check mode the archive is then proven by C(pgbackrest check) - the primary switches a segment of WAL, which
    must arrive in every store.
  - A store that holds another cluster of the same version is refused, since pgBackRest would take it over.
  - Runs on the host that makes the backups, by the configuration which the role C(retailerp.estate.postgresql_backup)
    wrote there.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.postgresql_backup
attributes:
  idempotent:
    support: partial
    details: With O(now) each run makes a backup. All else is done once.
options:
  cluster:
    description: The primary that runs, as M(retailerp.estate.postgresql_replication_info) found it.
    type: dict
    default: {}
    suboptions:
      system_identifier:
        description: Its system identifier. Only check mode may do without.
        type: str
      version:
        description: Its major version.
        type: str
  now:
    description: >-
      Make a backup of this type at once, in every store, and wait for its end.
    type: str
    choices: [full, diff, incr]
  kit:
    description: >-
      What a new estate is made of when everything else is lost, sealed to the recovery key. Lies as C(kit/estate.age)
      in every store, outside of pgBackRest's own encryption.
    type: str
  upgraded:
    description: >-
      That the cluster was made of the one in the stores by a major upgrade. Without it a store that holds another
      version's backups is refused.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Make the stanza
  retailerp.estate.postgresql_backup:
    stanza: shop
    repositories: [1, 2]
    cluster:
      system_identifier: "{{ hostvars.db1.postgresql_found.instance.system_identifier }}"
      version: "17"

- name: Make a full backup
  retailerp.estate.postgresql_backup:
    stanza: shop
    cluster: {system_identifier: "7391184432017", version: "17"}
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

from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import backup, backup_client
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

CLUSTER = {"system_identifier": {"type": "str"}, "version": {"type": "str"}}
ARGUMENTS = {
    **backup_client.ARGUMENTS,
    "cluster": {"type": "dict", "default": {}, "options": CLUSTER},
    "now": {"type": "str", "choices": list(backup.TYPES)},
    "kit": {"type": "str"},
    "upgraded": {"type": "bool", "default": False},
}


class Stanza:
    """The capability: one stanza in all of its stores."""

    def __init__(self, params: dict, check_mode: bool) -> None:
        self.client, self.cluster = backup_client.Client.of(params), params["cluster"]
        self.now, self.kit, self.check_mode = params["now"], params["kit"], check_mode
        self.upgraded = params["upgraded"]
        self.before: dict | None = None

    def read(self) -> backup.Account:
        """pgBackRest's account."""
        if not self.check_mode and not self.cluster.get("system_identifier"):
            raise EstateError("no primary runs that a stanza could be made of: run data first")
        found = self.client.account()
        if self.kit and self.client.installed:
            reachable = [store.number for store in found.stores if store.code != backup.OTHER]
            found = replace(found, kits={number: self.client.kit(number) for number in reachable})
        if self.before is None:
            newest = {number: found.newest(number) for number in self.client.stores}
            self.before = {number: one.label if one else None for number, one in newest.items()}
        return found

    def plan(self, current: backup.Account) -> list[Change]:
        """Pure; see module_utils/postgresql/backup.py."""
        known = {key: value for key, value in self.cluster.items() if value is not None}
        asked = {"now": self.now, "before": self.before, "kit": self.kit, "upgraded": self.upgraded}
        desired = backup.Desired(self.client.stanza, self.client.stores, **known, **asked)
        return backup.plan(current, desired)

    def apply(self, changes: list[Change]) -> None:
        """Carry out each step."""
        for change in changes:
            getattr(self, f"_{change.data}")()

    def _create(self) -> None:
        self.client.must("stanza-create", timeout_s=backup_client.CHECK_S)

    def _upgrade(self) -> None:
        self.client.must("stanza-upgrade", timeout_s=backup_client.CHECK_S)

    def _back_up(self) -> None:
        backup_client.back_up(self.now or backup.FIRST)

    def _lay_kit(self) -> None:
        for number in self.client.stores:
            self.client.lay_kit(number, self.kit)

    def controls(self, current: backup.Account) -> list[Control]:
        """The proof of the archive."""
        if self.check_mode:
            return []
        code, out, err = self.client.call("check", timeout_s=backup_client.CHECK_S)
        return [
            Control.check(
                "backup.check",
                "A segment of WAL that is switched now arrives in every store",
                backup_client.complaint(out, err) if code else "arrived",
                "arrived",
                "see /var/log/estate-keeper here, /var/log/pgbackrest and the server's log on the primary",
            )
        ]


def main() -> None:
    """Converge, prove, leave."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    runner.run(module, Stanza(module.params, module.check_mode), lock="postgresql_backup")


if __name__ == "__main__":
    main()
