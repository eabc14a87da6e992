#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's baseline, from controls that are data."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_baseline
short_description: Keep a host at a baseline of controls, in one round trip
version_added: 0.1.0
description:
  - Reads everything the controls ask for at once, plans, applies, and reads again. A step that fails stops no other.
  - >-
    What a host cannot do - a container has no kernel of its own - is V(exempt) with the reason, found by looking.
  - >-
    Writes files of its own and single values in files of packages. What SSH and the container engine go by is only
    told; their configuration sets write it.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.host_baseline
"""

EXAMPLES = r"""
- name: Keep redirects off, and say who answers for an old protocol
  retailerp.estate.host_baseline:
    engine: false
    controls:
      - id: network.send_redirects
        title: The host sends no redirects
        level: 1
        kind: sysctl
        key: net.ipv4.conf.*.send_redirects
        value: "0"
      - id: modules.sctp
        title: The protocol SCTP cannot be loaded
        level: 1
        kind: kernel_module
        module: sctp
    exemptions:
      - id: modules.sctp
        reason: The telephone exchange speaks it
        owner: network@example.com
        expires: "2027-06-30"
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {resource: sysctl /proc/sys/net/ipv4/conf/all/send_redirects, action: update, before: "1", after: "0"}
controls:
  description: One for each control that is meant for this host.
  returned: success
  type: list
  elements: dict
  sample:
    - id: network.send_redirects
      title: The host sends no redirects
      state: pass
      observed: "0"
      expected: "0"
      reason: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_options import ARGUMENTS, baseline_of
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_system import HostBaseline
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run


def main() -> None:
    """Converge the baseline."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        capability = HostBaseline(baseline_of(module.params), System())
    except EstateError as err:
        module.fail_json(msg=str(err))
    run(module, capability, lock="baseline")


if __name__ == "__main__":
    main()
