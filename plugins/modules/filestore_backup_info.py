#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recovery points of an estate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: filestore_backup_info
short_description: List the recovery points of an estate, and judge them
version_added: 0.1.0
description:
  - Lists complete points only. Asks the gate, with this host's password, to remove what does not exist, and judges its
    answer.
  - Changes nothing.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.filestore_repository
requirements:
  - restic 0.14 or later on the host.
options:
  name:
    description: A point whose record is read, too, or V(latest).
    type: str
  oldest_h:
    description: Hours after which the newest point is too old.
    type: int
    default: 26
"""

EXAMPLES = r"""
- name: List the recovery points
  retailerp.estate.filestore_backup_info:
    ca_file: /etc/estate/filestore/ca.pem
  register: found
"""

RETURN = r"""
points:
  description: The complete points, oldest first, as M(retailerp.estate.filestore_backup) lists them.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: 20261128t013000z, at: "2026-11-28T01:30:09Z", label: 20261128-012600F, lsn: 0/5000148, attachments: 20412}
record:
  description: The record of O(name); empty without it.
  returned: success
  type: dict
  sample:
    version: 1
    name: 20261128t013000z
    database: {label: 20261128-012600F, lsn: 0/5000148, server_version: "17.6"}
controls:
  description: What must hold of gate, repository and points.
  returned: success
  type: list
  elements: dict
  sample:
    - id: filestore.point.age
      title: The newest complete recovery point is not too old, in hours
      state: pass
      observed: 3.2
      expected: at most 26.0
      reason: ""
"""

import json
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan, restic, take
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control
from ansible_collections.retailerp.estate.plugins.module_utils.runner import Reading, run


class Info(Reading):
    """The capability: reading only. `points` and `record` are of the last read, for the answer."""

    def __init__(self, params: dict) -> None:
        self._params = params
        self._repository = restic.Repository(params)
        self.points: list[dict] = []
        self.record: dict = {}

    def read(self) -> take.Found:
        """See take.read; a host without restic or its files knows of no points."""
        found = take.read(self._repository) if restic.ready(self._params) else take.Found()
        self.points[:] = [point.report() for point in found.points]
        if self._params["name"]:
            point = plan.named(found.points, self._params["name"])
            self.record.update(json.loads(self._repository.text(point.record, plan.RECORD_FILE)))
        return found

    def controls(self, current: take.Found) -> list[Control]:
        """See take.controls."""
        return take.controls(current, time.time(), self._params["oldest_h"] * 3600)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **restic.ARGUMENTS,
            "name": {"type": "str"},
            "oldest_h": {"type": "int", "default": 26},
        },
        supports_check_mode=True,
    )
    info = Info(module.params)
    run(module, info, points=info.points, record=info.record)


if __name__ == "__main__":
    main()
