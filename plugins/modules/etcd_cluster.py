#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Membership of one voter in an etcd cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_cluster
short_description: Make this host a voter of etcd, and members that are not planned none
version_added: 0.1.0
description:
  - >-
    Run on one voter after the other, before its unit is started. Starts nothing: it admits a voter without data to its
    next start, for which the role's unit asks. A voter with data needs no admission.
  - A new cluster is made while no voter has data, and never afterwards.
  - >-
    A voter that lost its data while the others go on is removed and added anew. What is left in its data directory is
    set aside, beside it, never deleted.
  - Members that O(members) does not name are removed, before any is added.
  - Refuses to change members unless a majority is healthy, naming those that are not.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.etcd_voter
options:
  found:
    description: >-
      Whether each voter had voted when the run began, by name, as M(retailerp.estate.etcd_cluster_info) returned it.
      One that is missing may have, so no new cluster is made.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Membership of etcd
  retailerp.estate.etcd_cluster:
    name: db1
    members: {db1: 10.77.0.31, db2: 10.77.0.32, ops1: 10.77.0.41}
    found: {db1: false, db2: false, ops1: false}
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {resource: admission to etcd, action: create, before: null, after: "new cluster of db1, db2, ops1"}
controls:
  description: None; M(retailerp.estate.etcd_cluster_info) judges the cluster.
  returned: success
  type: list
  elements: dict
  sample: []
voter:
  description: >-
    What this voter is. C(quorum) says whether it is healthy as soon as it runs, because with it a majority is; the
    first voters of a cluster that starts have to wait for others.
  returned: success
  type: dict
  sample: {data: true, running: true, quorum: true}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.etcd import client as etcd
from ansible_collections.retailerp.estate.plugins.module_utils.etcd.plan import Seen, Wanted, may_wait, plan
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control

#: How long a voter that was just restarted (its certificate is new) may take to be part of the cluster again.
SETTLE_S = 20


class Cluster:
    """The capability. `seen` and `voter` hold what the last read saw, `voter` for the answer."""

    def __init__(self, client: etcd.Client, system: System) -> None:
        self.client = client
        self.seen = Seen()
        self.voter: dict = {}
        self._system = system

    def read(self) -> Seen:
        """The host and the cluster; a voter that was just started has some seconds to take part."""
        wanted = self.client.wanted
        for _second in range(SETTLE_S):
            self.seen = self.client.seen()
            own = wanted.url(wanted.name)
            if not (self.seen.running and self.seen.data and may_wait(wanted, self.seen)) or own in self.seen.healthy:
                break
            self._system.pause(1)
        self.voter.update(data=self.seen.data, running=self.seen.running, quorum=may_wait(wanted, self.seen))
        return self.seen

    def plan(self, current: Seen) -> list[Change]:
        """Pure; see module_utils/etcd/plan.py."""
        return plan(self.client.wanted, current)

    def apply(self, changes: list[Change]) -> None:
        """In order; members go and come one at a time."""
        for change in changes:
            self.client.apply(change)

    def controls(self, current: Seen) -> list[Control]:
        """None: a voter that is admitted does not run yet."""
        return []


def main() -> None:
    """Converge the membership."""
    module = AnsibleModule(
        argument_spec={**etcd.ARGUMENTS, "found": {"type": "dict", "required": True}}, supports_check_mode=True
    )
    options, system = module.params, System()
    wanted = Wanted(options["name"], options["members"], options["peer_port"], options["found"])
    cluster = Cluster(etcd.Client(system, wanted, options["client_port"], options["tls_directory"]), system)
    runner.run(module, cluster, lock="etcd", voter=cluster.voter)


if __name__ == "__main__":
    main()
