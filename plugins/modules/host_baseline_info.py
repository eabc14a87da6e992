#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host stands to a baseline."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_baseline_info
short_description: Tell how a host stands to a baseline of controls
version_added: 0.1.0
description:
  - Reads everything the controls ask for at once and judges it, for an audit. Changes nothing.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.host_baseline
"""

EXAMPLES = r"""
- name: See whether the host sends redirects
  retailerp.estate.host_baseline_info:
    controls:
      - id: network.send_redirects
        title: The host sends no redirects
        level: 1
        kind: sysctl
        key: net.ipv4.conf.*.send_redirects
        value: "0"
  register: audit
"""

RETURN = r"""
controls:
  description: One for each control that is meant for this host.
  returned: success
  type: list
  elements: dict
  sample:
    - id: network.send_redirects
      title: The host sends no redirects
      state: fail
      observed: "1"
      expected: "0"
      reason: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_options import ARGUMENTS, baseline_of
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_system import HostBaseline
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.module_utils.runner import Reading, run


class Audit(Reading, HostBaseline):
    """Reads and judges, and has nothing to do."""


def main() -> None:
    """Judge the host."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        capability = Audit(baseline_of(module.params), System())
    except EstateError as err:
        module.fail_json(msg=str(err))
    run(module, capability)


if __name__ == "__main__":
    main()
