#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a site from outside."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_info
short_description: Ask sites over HTTP and judge their answers
version_added: 0.1.0
author: The retailerp.estate authors (@retailerp)
description:
  - Sends a GET to each URL, side by side, follows no redirect and checks certificates, and returns a control for each.
  - Run it where a customer of the site would be, such as on the controller.
extends_documentation_fragment:
  - retailerp.estate.attributes
options:
  probes:
    description: What to ask, and which answers are right.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Short, stable name of the control.
        type: str
        required: true
      title:
        description: What holds, as a sentence.
        type: str
        required: true
      url:
        description: What to GET.
        type: str
        required: true
      answers:
        description: Right answers, each a status such as V(200), with its target for a redirect, such as V(308 https://shop.example/).
        type: list
        elements: str
        required: true
  ca_file:
    description: PEM file of root certificates to trust besides the system's.
    type: path
  timeout_s:
    description: Seconds to wait for each answer.
    type: float
    default: 15
"""

EXAMPLES = r"""
- name: The site answers, its database manager does not
  retailerp.estate.site_info:
    ca_file: .lab/root.pem
    probes:
      - id: site.login
        title: The login page answers
        url: https://shop.lab.test/web/login
        answers: ["200"]
      - id: site.database_manager
        title: The database manager is closed
        url: https://shop.lab.test/web/database/manager
        answers: ["403"]
  delegate_to: localhost
"""

RETURN = r"""
controls:
  description: A control for each probe, in their order.
  returned: always
  type: list
  elements: dict
  sample:
    - id: site.login
      title: The login page answers
      state: pass
      observed: "200"
      expected: "200"
      reason: https://shop.lab.test/web/login
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.site import client

PROBE = {
    "id": {"type": "str", "required": True},
    "title": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "answers": {"type": "list", "elements": "str", "required": True},
}


def main() -> None:
    """Ask, judge, return."""
    module = AnsibleModule(
        argument_spec={
            "probes": {"type": "list", "elements": "dict", "required": True, "options": PROBE},
            "ca_file": {"type": "path"},
            "timeout_s": {"type": "float", "default": 15},
        },
        supports_check_mode=True,
    )
    judged = client.controls(module.params["probes"], module.params["ca_file"], module.params["timeout_s"])
    module.exit_json(changed=False, controls=[control.report() for control in judged])


if __name__ == "__main__":
    main()
