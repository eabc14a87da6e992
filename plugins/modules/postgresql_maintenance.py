#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vacuum and index maintenance of a PostgreSQL server, outside trading hours."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_maintenance
short_description: Vacuum tables and rebuild indexes that need it, outside trading hours
version_added: 0.2.0
description:
  - >-
    Reads all databases of a primary and reports dead rows, ages towards wraparound, empty space in indexes and invalid
    indexes. In check mode that is all, at any time.
  - >-
    Then, the most important first, it drops what interrupted statements left, freezes tables near wraparound, vacuums
    tables full of dead rows, and rebuilds invalid and mostly empty indexes concurrently. Reads and writes go on.
  - >-
    Changes nothing in trading hours. No step begins after O(budget_minutes) or once trading begins; the rest is told.
    A step that still runs when trading begins is cut short and fails; the invalid index that an interrupted REINDEX
    leaves is dropped by the next run.
  - A step that fails stops no other; the module fails at the end with all reasons.
  - >-
    Empty space is measured on about 400 pages of each B-tree index from O(limits.min_bloat_bytes) on, in its file,
    without an extension and without touching the server's cache. It is within five points of the truth as of the last
    checkpoint. Rows that are dead but not vacuumed yet count as entries still, except that in tables the same run will
    vacuum they count as space. Other kinds of indexes are not measured; those of system catalogues and of exclusion
    constraints are left out, since they cannot be rebuilt concurrently.
  - >-
    For O(budget_minutes) after a VACUUM by hand, this module's included, a table is not vacuumed again and the empty
    space of its indexes is not judged; dead rows that remain are still seen by an open transaction.
  - After a failover the new primary has counted no dead rows yet; ages and indexes are told as ever.
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
  time_zone:
    description: The time zone of O(trading_hours), by its name in the tz database.
    type: str
    required: true
  trading_hours:
    description: When people sell.
    type: dict
    required: true
    suboptions:
      days:
        description: Days of the week.
        type: list
        elements: str
        choices: [mon, tue, wed, thu, fri, sat, sun]
        required: true
      from:
        description: When trading begins, C(HH:MM).
        type: str
        required: true
      to:
        description: When it ends, C(HH:MM); C(24:00) is midnight.
        type: str
        required: true
  anyway:
    description: Whether trading hours are disregarded.
    type: bool
    default: false
  budget_minutes:
    description: For how many minutes steps are begun.
    type: int
    default: 60
  lock_timeout_s:
    description: >-
      For how many seconds a table's lock is waited for. Autovacuum gives way after one second unless it prevents
      wraparound.
    type: float
    default: 5
  transaction_wait_s:
    description: >-
      For how many seconds the rebuilding of an index waits for transactions that may use the old one. Nobody waits
      behind it. The default is the plan's C(idle_in_transaction_session_timeout).
    type: float
    default: 600
  limits:
    description: From these on a step is planned.
    type: dict
    default: {}
    suboptions:
      max_dead_percent:
        description: Dead rows, per cent of a table's rows, from which on it is vacuumed. Autovacuum begins at 20.
        type: int
        default: 10
      min_dead_rows:
        description: Dead rows below which a table is not vacuumed.
        type: int
        default: 1000
      max_age_percent:
        description: >-
          Age of a table's oldest row that is not frozen, per cent of C(autovacuum_freeze_max_age) or its multixact
          twin, from which on it is frozen. At 100 autovacuum does it whatever the time.
        type: int
        default: 75
      max_bloat_percent:
        description: >-
          Empty space, per cent of an index, from which on it is rebuilt. Below 40 fresh indexes may seem empty.
        type: int
        default: 50
      min_bloat_bytes:
        description: Empty bytes below which an index is not rebuilt.
        type: int
        default: 16777216
"""

EXAMPLES = r"""
- name: Vacuum and rebuild what needs it, for half an hour at most
  retailerp.estate.postgresql_maintenance:
    member: db1
    version: "17"
    time_zone: Europe/Berlin
    trading_hours: {days: [mon, tue, wed, thu, fri, sat], from: "08:00", to: "20:00"}
    budget_minutes: 30
"""

RETURN = r"""
report:
  description: What was found, after the changes where some were made. The ten worst of each kind; all invalid indexes.
  returned: success
  type: dict
  sample:
    databases: [{name: shop, age_percent: 12}]
    dead_rows: [{table: public.bus_bus in shop, dead: 9000, live: 300, vacuumed: null, analyzed: null}]
    ages: [{table: public.res_partner in shop, age_percent: 12}]
    bloat: [{index: public.bus_bus_pkey in shop, bytes: 41943040, empty_percent: 71}]
    invalid_indexes: []
left:
  description: Steps that were not begun because the time was over, in words.
  returned: success
  type: list
  elements: str
  sample: ["VACUUM (ANALYZE): table public.mail_message in shop (90210 dead rows beside 300000)"]
changes:
  description: Steps that were taken, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - resource: table public.bus_bus in shop
      action: run
      before: 9000 dead rows beside 300
      after: VACUUM (ANALYZE)
controls:
  description: What should hold once everything is done.
  returned: success
  type: list
  elements: dict
  sample:
    - id: postgresql.maintenance.invalid_indexes
      title: Every index is valid
      state: pass
      observed: []
      expected: []
      reason: ""
"""

import time
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.host.trading_hours import DAYS, TradingHours
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import maintenance, maintenance_client, server
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import PRIMARY, READY
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError


class Maintenance:
    """The capability. `report` and `left` are of the last read and plan, for the answer.

    Once the time is over nothing more is planned, so that what is left is left, and not an error. Until then the second
    plan must be empty: every step has done what it was for.
    """

    def __init__(self, params: dict, check_mode: bool) -> None:
        self.params, self.check_mode = params, check_mode
        self.limits = maintenance.Limits(**params["limits"])
        self.budget_s = 60 * params["budget_minutes"]
        self.refusal: str | None = None
        self.ends: float | None = None
        self.opens: float | None = None
        self.report: dict = {}
        self.left: list[str] = []

    def read(self) -> maintenance.State | None:
        """All tables and indexes; in check mode None where no server runs."""
        if self.ends is None:
            self._begin()
        instance = server.read_instance(server.Layout.of(self.params), self.params["member"])
        if instance.data != READY or not instance.running:
            if self.check_mode:
                return None
            raise EstateError(f"{instance.describe()}: no server runs here; run the data playbook")
        if instance.role != PRIMARY:
            raise EstateError(f"{instance.describe()}: maintenance is for the primary, and reaches standbys from there")
        port, lock_s = self.params["port"], self.params["lock_timeout_s"]
        state = maintenance_client.read(port, self.limits.min_bloat_bytes, lock_s)
        self.report.update(maintenance.report(state))
        return state

    def plan(self, current: maintenance.State | None) -> list[Change]:
        """Pure but for the time; see module_utils/postgresql/maintenance.py."""
        changes = maintenance.plan(current, self.limits, self.budget_s) if current else []
        over = self._over()
        self.left[:] = maintenance.names(changes) if over else []
        return [] if over else changes

    def apply(self, changes: list[Change]) -> None:
        """Run the steps. Those for which the time was too short are taken out of `changes`."""
        if self.refusal:
            raise EstateError(self.refusal)
        waits = self.params["lock_timeout_s"], self.params["transaction_wait_s"]
        maintenance_client.apply(
            self.params["port"], changes, maintenance_client.Times(self._over, self._left_s, *waits)
        )

    def controls(self, current: maintenance.State | None) -> list[Control]:
        """Pure; see module_utils/postgresql/maintenance.py."""
        if current is None:
            return [Control.check("postgresql.server.running", "PostgreSQL runs", False, True, "run the data playbook")]
        return maintenance.controls(current, self.limits)

    def _begin(self) -> None:
        """Set the ends of this run, in seconds of the clock that nobody sets, and whether it may change anything."""
        hours, zone = self.params["trading_hours"], self.params["time_zone"]
        trading = TradingHours(tuple(hours["days"]), hours["from"], hours["to"])
        now = local_time(zone)
        begun = time.monotonic()
        self.ends = begun + self.budget_s
        if not self.params["anyway"]:
            self.opens = begun + trading.next_opening(now) - now.timestamp()
            self.ends = min(self.ends, self.opens)
            if trading.open_at(now):
                self.refusal = (
                    f"the shop trades until {trading.end} ({zone}, where it is {now:%H:%M}); nothing was changed: "
                    "run again then, or now with -e maintenance_anyway=<the estate's id>"
                )

    def _over(self) -> bool:
        return self.ends is not None and time.monotonic() >= self.ends

    def _left_s(self) -> float | None:
        """Seconds until trading begins; None where that does not matter."""
        return None if self.opens is None else self.opens - time.monotonic()


def local_time(zone: str) -> datetime:
    """The host's clock, as people in that time zone read it."""
    try:
        return datetime.now(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError) as err:
        raise EstateError(f"this host does not know the time zone {zone}: install the package tzdata") from err


def main() -> None:
    """Entry point."""
    hours = {
        "days": {"type": "list", "elements": "str", "choices": list(DAYS), "required": True},
        "from": {"type": "str", "required": True},
        "to": {"type": "str", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            "member": {"type": "str", "required": True},
            **server.ARGUMENTS,
            "time_zone": {"type": "str", "required": True},
            "trading_hours": {"type": "dict", "required": True, "options": hours},
            "anyway": {"type": "bool", "default": False},
            "budget_minutes": {"type": "int", "default": 60},
            "lock_timeout_s": {"type": "float", "default": 5},
            "transaction_wait_s": {"type": "float", "default": 600},
            "limits": {"type": "dict", "default": {}, "options": maintenance.LIMITS},
        },
        supports_check_mode=True,
    )
    capability = Maintenance(module.params, module.check_mode)
    runner.run(module, capability, "postgresql_maintenance", report=capability.report, left=capability.left)


if __name__ == "__main__":
    main()
