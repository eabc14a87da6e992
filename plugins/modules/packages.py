#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages that are to be on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Keep Debian packages installed, and held at their version where wanted
version_added: 0.1.0
description:
  - Installs without recommended packages. Removes and upgrades nothing.
  - >-
    A package's services are not started by its installation: they start when they are configured. A C(policy-rc.d) of
    someone else's is left to decide.
  - >-
    First finishes what an interrupted installation left half done. Waits up to five minutes for another apt. Fetches
    package lists when they are older than a day, and when a package cannot be had by those that are there.
  - In check mode packages count as to be installed even on a host without package lists.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
options:
  names:
    description: Packages to be installed, by their own names (no virtual packages).
    type: list
    elements: str
    required: true
  hold:
    description: Packages among O(names) that no upgrade may change but one that lifts the hold.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Container engine, changed in a maintenance window only
  retailerp.estate.packages:
    names: [docker.io, python3-docker]
    hold: [docker.io]
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {resource: package docker.io, action: create, before: null, after: installed}
controls:
  description: What must hold, and whether it does.
  returned: success
  type: list
  elements: dict
  sample:
    - id: host.packages
      title: Every package is installed whole, and held where a version must not change by itself
      state: pass
      observed: []
      expected: []
      reason: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.host.packages import Packages
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run

ARGUMENTS = {
    "names": {"type": "list", "elements": "str", "required": True},
    "hold": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    """Converge the packages."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    strangers = sorted(set(module.params["hold"]) - set(module.params["names"]))
    if strangers:
        module.fail_json(msg=f"hold: {', '.join(strangers)} must also stand in names")
    run(module, Packages(module.params["names"], module.params["hold"], System()))


if __name__ == "__main__":
    main()
