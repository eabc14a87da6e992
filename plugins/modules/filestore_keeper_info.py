#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the keeper of recovery points found in its last turn, and whether that was lately."""

from __future__ import annotations

DOCUMENTATION = r"""
module: filestore_keeper_info
short_description: Read what the keeper of recovery points found, and judge it
version_added: 0.1.0
description:
  - Reads the result that the keeper's timer writes when it has forgotten old recovery points and proven a part of the
    others. A turn that is overdue, and one in which anything did not hold, is a control that fails.
  - Asks no store and changes nothing.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment: retailerp.estate.attributes
options:
  result:
    description: The file that the keeper writes.
    type: path
    default: /var/lib/estate-keeper/result.json
  configuration:
    description: The keeper's configuration. Before it has lain there for O(oldest_h) no turn is overdue.
    type: path
    default: /etc/estate/filestore-gate/keeper.json
  oldest_h:
    description: Hours after which the next turn is overdue.
    type: int
    default: 26
  stores:
    description: To how many stores the database's backups go. Recovery points go to the first alone, which is told.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: See what the keeper's last turn found
  retailerp.estate.filestore_keeper_info:
  register: found
"""

RETURN = r"""
last:
  description: The result of the last turn. Empty before the first.
  returned: success
  type: dict
  sample: {ok: true, at: "2026-11-28T13:30:00Z", points: 35, forgotten: 2, read: 12/28}
controls:
  description: What must hold, and whether it does.
  returned: success
  type: list
  elements: dict
  sample:
    - id: filestore.keeper.age
      title: The keeper of recovery points took its turn lately, in hours
      state: pass
      observed: 5.2
      expected: at most 26.0
      reason: ""
"""

import json
import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control
from ansible_collections.retailerp.estate.plugins.module_utils.runner import Reading, run


class Info(Reading):
    """The capability: reading only. `last` is of the last read, for the answer."""

    def __init__(self, params: dict) -> None:
        self._params = params
        self.last: dict = {}

    def read(self) -> plan.Turns:
        """The last result, and since when there is a timer."""
        path, configuration = self._params["result"], self._params["configuration"]
        since = os.stat(configuration).st_mtime if os.path.exists(configuration) else time.time()
        try:
            at = os.stat(path).st_mtime
            with open(path, encoding="utf-8") as file:
                said = json.load(file)
        except FileNotFoundError:
            return plan.Turns(None, since, stores=self._params["stores"])
        except ValueError:
            said = None
        self.last.update(said if isinstance(said, dict) else {"ok": False, "error": f"{path} is no result of a turn"})
        return plan.Turns(at, since, self.last, self._params["stores"])

    def controls(self, current: plan.Turns) -> list[Control]:
        """See plan.kept."""
        return plan.kept(current, time.time(), self._params["oldest_h"] * 3600)


def main() -> None:
    """Read and judge."""
    module = AnsibleModule(
        argument_spec={
            "result": {"type": "path", "default": "/var/lib/estate-keeper/result.json"},
            "configuration": {"type": "path", "default": "/etc/estate/filestore-gate/keeper.json"},
            "oldest_h": {"type": "int", "default": 26},
            "stores": {"type": "int", "default": 1},
        },
        supports_check_mode=True,
    )
    info = Info(module.params)
    run(module, info, last=info.last)


if __name__ == "__main__":
    main()
