#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recovery point, proven by restoring it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_drill
short_description: Prove a recovery point by restoring it beside everything else
version_added: 0.1.0
description:
  - Restores the database with pgBackRest to the point's place in the log, into a server of its own that listens to a
    socket and nothing else; lays the filestore beside it; neutralises the copy; starts the real Odoo in a container
    without any network; signs in, makes an order, reads an attachment; counts rows, modules and files. Then all of it
    is removed.
  - Every phase is timed. What was found is written as JSON below O(evidence), whether it went well or not,
    and where it could not begin, too. In check mode nothing is written.
  - Fails when anything does not hold. Nothing of the estate is touched or stopped.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.filestore_repository
attributes:
  idempotent:
    support: none
    description: Every run is a drill.
requirements:
  - restic, pgBackRest with the stanza's configuration, PostgreSQL's programs, python3-psycopg, python3-docker and a
    Docker engine on the host.
options:
  name:
    description: The recovery point, or V(latest).
    type: str
    default: latest
  stanza:
    description: pgBackRest's name of the cluster.
    type: str
    required: true
  repositories:
    description: Numbers of the stores in which the cluster's backups are.
    type: list
    elements: int
    default: [1]
  store:
    description: >-
      The store that the database is to come from, its log included. Without it the one that was not drilled for
      longest.
    type: int
  database:
    description: The database within the cluster.
    type: str
    required: true
  user:
    description: The application's role, which Odoo acts as.
    type: str
    required: true
  image:
    description: Odoo's image, pinned by digest. The one that the point was taken with when left out.
    type: str
  addons:
    description: A directory on the host with the addons that the estate's releases bring along.
    type: path
    required: true
  uid:
    description: Number of the user that the image's Odoo runs as.
    type: int
    required: true
  root:
    description: A directory of the drill's own, with room for database and filestore. Made and removed.
    type: path
    default: /var/lib/retailerp-estate/drill
  evidence:
    description: A directory for what was found.
    type: path
    default: /var/lib/retailerp-estate/drills
  memory_mb:
    description: Limit of memory of Odoo's container, in MiB.
    type: int
    default: 1024
  longest_s:
    description: Seconds after which the estate has to be back.
    type: int
    default: 14400
"""

EXAMPLES = r"""
- name: Prove the newest recovery point
  retailerp.estate.restore_drill:
    stanza: shop
    database: shop
    user: shop_application
    uid: 101
    addons: /usr/local/lib/retailerp-estate/addons
    ca_file: /etc/estate/filestore/ca.pem
"""

RETURN = r"""
evidence:
  description: What was found, as it is written to the file C(path).
  returned: always
  type: dict
  sample:
    path: /var/lib/retailerp-estate/drills/20261128t031500z-20261128t013000z.json
    store: 2
    rto_s: 141.3
    rpo_s: 6300.0
    phases: {database: 62.0, filestore: 48.1, neutral: 0.4, odoo: 21.7, judgement: 9.1}
    attachments: 20412
    damaged: []
    odoo: {login: true, order: true, attachment: true, made: sale.order}
controls:
  description: What must hold of a restored estate.
  returned: always
  type: list
  elements: dict
  sample:
    - id: drill.odoo.login
      title: The restored Odoo lets its administrator in
      state: pass
      observed: true
      expected: true
      reason: ""
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.retailerp.estate.plugins.module_utils.drill import plan
from ansible_collections.retailerp.estate.plugins.module_utils.drill.run import Run
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import restic
from ansible_collections.retailerp.estate.plugins.module_utils.odoo import database
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run


def main() -> None:
    """Read the options and drill."""
    module = AnsibleModule(
        argument_spec={
            **restic.ARGUMENTS,
            "name": {"type": "str", "default": "latest"},
            "stanza": {"type": "str", "required": True},
            "repositories": {"type": "list", "elements": "int", "default": plan.DEFAULTS["repositories"]},
            "store": {"type": "int"},
            "database": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "image": {"type": "str"},
            "uid": {"type": "int", "required": True},
            "addons": {"type": "path", "required": True},
            "root": {"type": "path", "default": plan.DEFAULTS["root"]},
            "evidence": {"type": "path", "default": plan.DEFAULTS["evidence"]},
            "memory_mb": {"type": "int", "default": 1024},
            "longest_s": {"type": "int", "default": 14400},
        },
        supports_check_mode=True,
    )
    if database.IMPORT_ERROR and not module.check_mode:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database.IMPORT_ERROR)
    drill = Run(module.params, module.check_mode)
    run(module, drill, lock="restore_drill", evidence=drill.evidence)


if __name__ == "__main__":
    main()
