#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last restore drill found, and whether it was lately."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_drill_info
short_description: Read the evidence of restore drills, and judge it
version_added: 0.1.0
description:
  - Reads what M(retailerp.estate.restore_drill) wrote, by the timer or on demand. A drill that is overdue, and a store
    whose last drill failed, is a control that fails.
  - Changes nothing.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment: retailerp.estate.attributes
options:
  evidence:
    description: The directory of the drills' evidence.
    type: path
    default: /var/lib/retailerp-estate/drills
  configuration:
    description: The timer's configuration. Before it has lain there for O(oldest_d) no drill is overdue.
    type: path
    default: /etc/estate/restore-drill.json
  repositories:
    description: Numbers of the stores that there are. What was found of another one, which is gone, is not judged.
    type: list
    elements: int
    default: [1]
  oldest_d:
    description: Days after which the next drill is overdue.
    type: int
    default: 9
"""

EXAMPLES = r"""
- name: See what the last drill found
  retailerp.estate.restore_drill_info:
    repositories: [1, 2]
  register: found
"""

RETURN = r"""
last:
  description: The evidence of the last drill, as M(retailerp.estate.restore_drill) returns it. Empty before the first.
  returned: success
  type: dict
  sample: {began: "2026-11-28T03:15:00Z", rto_s: 141.3, rpo_s: 6300.0, failed: {}}
controls:
  description: What must hold, and whether it does.
  returned: success
  type: list
  elements: dict
  sample:
    - id: drill.age
      title: A restore was drilled lately, in days
      state: pass
      observed: 2.1
      expected: at most 9
      reason: ""
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.drill import evidence, plan
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control
from ansible_collections.retailerp.estate.plugins.module_utils.runner import Reading, run


class Info(Reading):
    """The capability: reading only. `last` is of the last read, for the answer."""

    def __init__(self, params: dict) -> None:
        self._params = params
        self.last: dict = {}

    def read(self) -> plan.History:
        """The newest evidence, and since when there is a timer."""
        found, folder = evidence.read(self._params["evidence"]), self._params["evidence"]
        self.last.update(found[-1] if found else {})
        at = os.stat(evidence.paths(folder)[-1]).st_mtime if found else None
        configuration = self._params["configuration"]
        since = os.stat(configuration).st_mtime if os.path.exists(configuration) else time.time()
        return plan.History(at, since, plan.last_of_each(found, self._params["repositories"]))

    def controls(self, current: plan.History) -> list[Control]:
        """See plan.lately."""
        return plan.lately(current, time.time(), self._params["oldest_d"])


def main() -> None:
    """Read and judge."""
    module = AnsibleModule(
        argument_spec={
            "evidence": {"type": "path", "default": plan.DEFAULTS["evidence"]},
            "configuration": {"type": "path", "default": "/etc/estate/restore-drill.json"},
            "repositories": {"type": "list", "elements": "int", "default": plan.DEFAULTS["repositories"]},
            "oldest_d": {"type": "int", "default": 9},
        },
        supports_check_mode=True,
    )
    info = Info(module.params)
    run(module, info, last=info.last)


if __name__ == "__main__":
    main()
