#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Patroni cluster's settings, its leader, and copies of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_patroni
short_description: Set a Patroni cluster's settings, move its leader, copy a member anew
version_added: 0.1.0
description:
  - Speaks to this host's Patroni by its REST API, with certificates on both sides.
  - >-
    Waits until this member serves and somebody leads. Patroni moves the leader by itself where one is lost; this module
    does it where an operator wants it, and refuses what could lose a commit.
  - It neither configures nor starts Patroni; M(retailerp.estate.config_set) does both.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.patroni_member
options:
  settings:
    description:
      - The dynamic configuration of the cluster, whole. What it does not name is removed.
      - Without it the configuration is left as it is.
    type: dict
  state:
    description:
      - V(settled) waits until this member serves.
      - V(leader) makes this member the leader. Only one that commits wait for may become it.
      - V(cloned) throws this member's data away and copies the leader's.
    type: str
    choices: [settled, leader, cloned]
    default: settled
  wait_s:
    description: >-
      For how many seconds a step is waited for. The copying of a database is waited for as long as it takes.
    type: float
    default: 120
"""

EXAMPLES = r"""
- name: Switch over to db2
  retailerp.estate.postgresql_patroni:
    member: db2
    address: 10.77.0.32
    tls_directory: /etc/estate/tls/postgresql
    state: leader
"""

RETURN = r"""
changes:
  description: What was done, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample: [{resource: leader of the cluster, action: update, before: db1, after: db2}]
controls:
  description: What was checked; this module has none, M(retailerp.estate.postgresql_patroni_info) has.
  returned: always
  type: list
  elements: dict
  sample: []
"""

import time
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.patroni import api, plan
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

PAUSE_S = 0.5


class Patroni:
    """The capability: one member's view of its cluster."""

    def __init__(self, params: dict, check_mode: bool) -> None:
        self.params = params
        self.check_mode = check_mode
        self.api = api.of(params)
        self.desired = plan.Desired(params["member"], params["settings"], params["state"])

    def read(self) -> plan.Current:
        """The cluster, once this member serves in it; check mode waits for nothing."""
        deadline = time.monotonic() + (0 if self.check_mode else self.params["wait_s"])
        while True:
            current = api.read(self.api)
            own = current.member(self.desired.name)
            if plan.settled(current, self.desired.name):
                return current
            copying = own is not None and own.state == plan.COPYING
            if time.monotonic() >= deadline and not copying:
                break
            time.sleep(PAUSE_S)
        if self.desired.state == "settled" and not self.check_mode and current.answering:
            self._refuse(current)
        return current

    def plan(self, current: plan.Current) -> list[Change]:
        """Pure; see module_utils/patroni/plan.py. In check mode a host without Patroni is one that will have it."""
        return [] if self.check_mode and not current.answering else plan.plan(current, self.desired)

    def apply(self, changes: list[Change]) -> None:
        """Carry out each step."""
        for change in changes:
            getattr(self, f"_{change.data}")(change)

    def controls(self, current: plan.Current) -> list[Control]:
        """None: postgresql_patroni_info judges."""
        return []

    def _configure(self, change: Change) -> None:
        self.api.do("PUT", "/config", self.desired.settings, change.resource, self.params["wait_s"])

    def _lead(self, change: Change) -> None:
        body = {"leader": change.before, "candidate": change.after}
        self.api.do("POST", "/switchover", body, "switchover", self.params["wait_s"])

    def _clone(self, change: Change) -> None:
        self.api.do("POST", "/reinitialize", {"force": True}, "copying anew", self.params["wait_s"])
        # The order is taken; the old data still serves for a moment.
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            own = api.read(self.api).member(self.desired.name)
            if own is None or own.state not in plan.UP:
                break
            time.sleep(PAUSE_S)
        # It is copied once; what is left is to see it serve.
        self.desired = replace(self.desired, state="settled")

    def _refuse(self, current: plan.Current) -> None:
        own = current.member(self.desired.name)
        what = own.describe() if own else f"{self.desired.name}, which is in no cluster,"
        leader = "" if current.leader else "; nobody leads: see whether a majority of the voters (group etcd) runs"
        raise EstateError(f"{what} does not serve after {self.params['wait_s']:.0f} s{leader}")


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **api.ARGUMENTS,
            "settings": {"type": "dict"},
            "state": {"type": "str", "choices": ["settled", "leader", "cloned"], "default": "settled"},
            "wait_s": {"type": "float", "default": 120},
        },
        supports_check_mode=True,
    )
    runner.run(module, Patroni(module.params, module.check_mode), lock="postgresql_patroni")


if __name__ == "__main__":
    main()
