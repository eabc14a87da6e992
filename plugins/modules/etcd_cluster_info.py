#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a voter of etcd is and how its cluster does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_cluster_info
short_description: Tell a voter's state, the cluster's members and controls
version_added: 0.1.0
description:
  - Reads the data directory, and asks every voter. Changes nothing; a bare host is an answer, too.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.etcd_voter
options:
  quota_mb:
    description: Size of the database, in MiB, at which etcd takes no more writes.
    type: int
    default: 64
  wait_s:
    description: For how many seconds a cluster that does not hold yet is waited for.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: See how etcd does
  retailerp.estate.etcd_cluster_info:
    name: db1
    members: {db1: 10.77.0.31, db2: 10.77.0.32, ops1: 10.77.0.41}
  register: etcd_status
"""

RETURN = r"""
voter:
  description: >-
    What is on this host. C(voted) says whether its data is that of a cluster that had a leader, so that no other may be
    made beside it.
  returned: always
  type: dict
  sample: {name: db1, data: true, voted: true, running: true}
members:
  description: The members by a majority's word, by name; empty when no majority answers.
  returned: always
  type: dict
  sample: {db1: "https://10.77.0.31:2380", db2: "https://10.77.0.32:2380", ops1: "https://10.77.0.41:2380"}
statuses:
  description: What each planned voter says; one that does not answer is only not healthy.
  returned: always
  type: dict
  sample:
    db1: {healthy: true, id: 8e9e05c52164694d, version: 3.5.16, leader: 8e9e05c52164694d, db_bytes: 20480, errors: []}
    db2: {healthy: false}
controls:
  description: What must hold, and whether it does.
  returned: always
  type: list
  elements: dict
  sample:
    - id: etcd.health
      title: Every voter takes part
      state: fail
      observed: [db1, ops1]
      expected: [db1, db2, ops1]
      reason: look at journalctl -u etcd on the others; while a majority is left, Patroni goes on
changes:
  description: Always empty.
  returned: always
  type: list
  elements: dict
  sample: []
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.etcd import client as etcd
from ansible_collections.retailerp.estate.plugins.module_utils.etcd import health
from ansible_collections.retailerp.estate.plugins.module_utils.etcd.plan import Wanted
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control


class Info(runner.Reading):
    """The capability: reading only. `voter`, `members` and `statuses` hold what the last read saw, for the answer."""

    def __init__(self, client: etcd.Client, quota_mb: int, wait_s: float) -> None:
        self.client = client
        self.quota_mb = quota_mb
        self.wait_s = wait_s
        self.voter: dict = {}
        self.members: dict = {}
        self.statuses: dict = {}

    def read(self) -> list[Control]:
        """This host and all voters, asked again while something does not hold and there is time."""
        end = time.monotonic() + self.wait_s
        while True:
            controls = self._once()
            if all(control.state != "fail" for control in controls) or time.monotonic() >= end:
                return controls
            time.sleep(1)

    def _once(self) -> list[Control]:
        client = self.client
        self.voter.update(
            name=client.wanted.name, data=client.has_data(), voted=client.voted(), running=client.running()
        )
        members, statuses = client.members(), client.statuses()
        self.members.clear()
        self.members.update({member.name or member.url: member.url for member in members or ()})
        self.statuses.update(statuses)
        return health.controls(client.wanted, members, statuses, self.quota_mb)

    def controls(self, current: list[Control]) -> list[Control]:
        """As read; see module_utils/etcd/health.py."""
        return current


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **etcd.ARGUMENTS,
            "quota_mb": {"type": "int", "default": 64},
            "wait_s": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    options = module.params
    wanted = Wanted(options["name"], options["members"], options["peer_port"])
    client = etcd.Client(System(), wanted, options["client_port"], options["tls_directory"])
    info = Info(client, options["quota_mb"], options["wait_s"])
    runner.run(module, info, voter=info.voter, members=info.members, statuses=info.statuses)


if __name__ == "__main__":
    main()
