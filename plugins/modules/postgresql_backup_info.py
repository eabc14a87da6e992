#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and judges a cluster's archive and backups."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_backup_info
short_description: Read and judge a cluster's archive and backups
version_added: 0.1.0
description:
  - Reads what pgBackRest says of each store, and on the primary how the archiver gets on. As the keeper it judges the
    backups' age and the end of the stores' credentials, too, and asks the stores what they lock. Changes nothing.
  - Stores that do not answer, and backups that are not there, are no error but controls that do not hold.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.postgresql_server
  - retailerp.estate.postgresql_backup
options:
  member:
    description: This member's name.
    type: str
    required: true
  keeper:
    description: Whether this is the host that makes the backups.
    type: bool
    default: false
  lock_days:
    description: For each store, for how many days it is to let nobody delete; 0 asks for no lock.
    type: list
    elements: int
    default: []
  credential_ends:
    description:
      - For each store, when the first of its credentials ends, in ISO 8601 (UTC where it names no zone); empty for none
        that is known.
      - Judged as the keeper, in RV(vitals), by the limit C(min_credential_days).
    type: list
    elements: str
    default: []
  gaps:
    description: Whether to look for WAL that an archive lacks, which lists all that is archived.
    type: bool
    default: false
  limits:
    description: Thresholds by name, in place of those in C(module_utils/postgresql/backup_health.py).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Judge the backups
  retailerp.estate.postgresql_backup_info:
    member: ops1
    stanza: shop
    repositories: [1, 2]
    user: estate-keeper
    configuration: /etc/estate/backup-keeper
    keeper: true
    gaps: true
    lock_days: [30, 0]
    credential_ends: ["2030-01-31T00:00:00+00:00", ""]
    limits: {max_age_hours: 12}
"""

RETURN = r"""
report:
  description: Stores, their archives and backups, the archiver of a primary, the locks, and WAL that is missing.
  returned: success
  type: dict
  sample:
    stores: [{number: 1, code: 0, message: ok, system_identifier: "7391", version: "17"}]
    backups: [{store: 1, label: 20260103-223012F, type: full, seconds: 41}]
summary:
  description: The same for people, a line each.
  returned: success
  type: list
  elements: str
  sample: ["store 1: full 20260103-223012F, 11.2 h ago, took 41 s, 310.2 MiB of 2.1 GiB"]
controls:
  description: What must hold before anything goes on, and whether it does.
  returned: success
  type: list
  elements: dict
  sample:
    - id: backup.1.store
      title: Store 1 answers and knows this cluster
      state: pass
      observed: ok
      expected: ok
      reason: ""
vitals:
  description: What shows in time, judged by the limits. They stop nothing but C(verify).
  returned: success
  type: list
  elements: dict
  sample:
    - id: backup.1.age
      title: The last backup in store 1 is recent
      state: pass
      observed: 9.2 h
      expected: at most 30 h
      reason: ""
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import (
    archiver,
    backup,
    backup_client,
    backup_health,
    server,
    store_lock,
    wal_gaps,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

SETTLE_S = 10
"""Longer than pushing the segments takes that were on their way together."""
ARGUMENTS = {
    "member": {"type": "str", "required": True},
    "keeper": {"type": "bool", "default": False},
    "lock_days": {"type": "list", "elements": "int", "default": []},
    "credential_ends": {"type": "list", "elements": "str", "default": []},
    "gaps": {"type": "bool", "default": False},
    "limits": {"type": "dict", "default": {}},
    **server.ARGUMENTS,
    **backup_client.ARGUMENTS,
}


def _gaps(pgbackrest: backup_client.Client, account: backup.Account) -> dict[int, list[wal_gaps.Gap]]:
    """Of each store that answers. Segments arrive side by side: what is missing twice is missing."""
    found: dict[int, list[wal_gaps.Gap]] = {}
    for number in pgbackrest.stores:
        if account.of(number).code != backup.OK:
            continue
        found[number] = list(pgbackrest.gaps(account, number))
        if found[number]:
            time.sleep(SETTLE_S)
            again = set(pgbackrest.gaps(account, number))
            found[number] = [gap for gap in found[number] if gap in again]
    return found


def main() -> None:
    """Read, judge, return."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    pgbackrest, keeper = backup_client.Client.of(params), params["keeper"]
    stores, stanza = pgbackrest.stores, pgbackrest.stanza
    try:
        limits = backup_health.Limits.of(params["limits"])
        ends = backup_health.moments(stores, params["credential_ends"])
        own = server.read_instance(server.Layout.of(params), params["member"])
        working = archiver.read(params["port"], stanza) if own.running and own.role == "primary" else None
        account = pgbackrest.account()
        gaps = _gaps(pgbackrest, account) if params["gaps"] else {}
    except EstateError as err:
        module.fail_json(msg=str(err), **err.details)
    given = store_lock.options(*pgbackrest.files) if keeper else {}
    locks = {number: store_lock.ask(given, number, stanza) for number in stores if store_lock.known(given, number)}
    seen = backup_health.Seen(account, time.time(), working, locks, keeper, gaps)
    wanted = dict(zip(stores, params["lock_days"]))
    module.exit_json(
        changed=False,
        report={
            "stores": [vars(store) for store in seen.account.stores],
            "archives": seen.account.archives,
            "backups": [one.report() for one in seen.account.backups],
            "busy": seen.account.busy,
            "archiver": vars(working) if working else None,
            "locks": {number: vars(lock) for number, lock in locks.items()},
            "gaps": {number: [vars(gap) for gap in found] for number, found in gaps.items()},
        },
        summary=backup_health.summary(seen, stores),
        controls=[control.report() for control in backup_health.controls(seen, stores, stanza, wanted)],
        vitals=[control.report() for control in backup_health.vitals(seen, stores, limits, ends)],
    )


if __name__ == "__main__":
    main()
