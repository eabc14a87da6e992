#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Patroni cluster does, seen from one of its members."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_patroni_info
short_description: Tell who leads a Patroni cluster and judge it
version_added: 0.1.0
description:
  - Asks this host's Patroni. Changes nothing; a host without Patroni is an answer, too.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.patroni_member
options:
  members:
    description: Names of all members there should be.
    type: list
    elements: str
    required: true
  settings:
    description: The dynamic configuration the cluster should have.
    type: dict
    default: {}
  wait_s:
    description: For how many seconds a control that fails is given time to pass.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: See how the cluster does
  retailerp.estate.postgresql_patroni_info:
    member: db1
    address: 10.77.0.31
    tls_directory: /etc/estate/tls/postgresql
    members: [db1, db2, db3]
  register: patroni
"""

RETURN = r"""
cluster:
  description: Who leads (null when nobody does), and all members.
  returned: always
  type: dict
  sample:
    leader: db1
    members: [{name: db1, role: leader, state: running, timeline: 1, lag: null, pending_restart: false}]
controls:
  description: What must hold, and whether it does.
  returned: always
  type: list
  elements: dict
  sample:
    - id: patroni.voters
      title: db1 sees a majority of the voters
      state: pass
      observed: true
      expected: true
      reason: ""
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.patroni import api, plan
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control


class Info(runner.Reading):
    """The capability: reading only. `answer` holds what the last read saw."""

    def __init__(self, params: dict) -> None:
        self.params = params
        self.api = api.of(params)
        self.answer: dict = {}

    def read(self) -> plan.Current:
        """The cluster; read again until everything holds or the time is over."""
        deadline = time.monotonic() + self.params["wait_s"]
        while True:
            current = api.read(self.api)
            failing = [control for control in self.controls(current) if control.state == "fail"]
            if not failing or time.monotonic() >= deadline:
                break
            time.sleep(0.5)
        self.answer["leader"] = current.leader.name if current.leader else None
        self.answer["members"] = [vars(member) for member in current.members]
        return current

    def controls(self, current: plan.Current) -> list[Control]:
        """Pure; see module_utils/patroni/plan.py."""
        return plan.controls(current, self.params["member"], tuple(self.params["members"]), self.params["settings"])


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **api.ARGUMENTS,
            "members": {"type": "list", "elements": "str", "required": True},
            "settings": {"type": "dict", "default": {}},
            "wait_s": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    info = Info(module.params)
    runner.run(module, info, cluster=info.answer)


if __name__ == "__main__":
    main()
