#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of a shop that acts on nobody, from a recovery point."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_copy
short_description: Make a copy of a shop that acts on nobody, from a recovery point
version_added: 0.1.0
description:
  - Restores the database with pgBackRest to the point's place in the log, into a server of its own that listens to a
    socket and nothing else; lays the filestore beside it; switches off all in it that would act on the world, as
    M(retailerp.estate.odoo_neutralise) does; gives it an identity of its own. Nothing of it was on a network by then.
  - Writes the database (C(database.dump)), the files that its rows name (C(files.tar)) and a record of both
    (C(copy.json)) into O(directory), and removes the rest. The playbook C(copy_out) fetches them from there.
  - Fails when rows, modules or attachments are not those of the point; attachments that were lost before it are told.
  - Nothing of the estate is touched or stopped. What a run that was killed left is cleared by the next.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.filestore_repository
attributes:
  idempotent:
    support: partial
    details: With O(state=present) every run makes a copy.
requirements:
  - restic, pgBackRest with the stanza's configuration, PostgreSQL's programs and python3-psycopg on the host.
options:
  state:
    description: Whether a copy is made, or what is left of one is removed.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: The recovery point, or V(latest).
    type: str
    default: latest
  estate:
    description: Id of the estate, for the record.
    type: str
    required: true
  stanza:
    description: pgBackRest's name of the cluster.
    type: str
    required: true
  database:
    description: The database within the cluster.
    type: str
    required: true
  user:
    description: The application's role, as which the database is read and changed.
    type: str
    required: true
  root:
    description: A directory of the run's own, with room for database and filestore. Made and removed.
    type: path
    default: /var/lib/retailerp-estate/copy
  directory:
    description: Where the copy is written to, with room for database and filestore once more. Made anew.
    type: path
    default: /var/lib/estate-copy
  owner:
    description: Number of the user that fetches the copy; nobody else reads it.
    type: int
    default: 0
  longest_s:
    description: Seconds that each of restoring, laying files and writing may take.
    type: int
    default: 14400
"""

EXAMPLES = r"""
- name: Make a copy of the newest recovery point
  retailerp.estate.restore_copy:
    estate: shop
    stanza: shop
    database: shop
    user: shop_application
    repository_file: /etc/estate/filestore-gate/keeper.repository
    password_file: /etc/estate/filestore-gate/keeper.key
    rclone_config: /etc/estate/filestore-gate/store.conf

- name: Leave nothing of it
  retailerp.estate.restore_copy:
    state: absent
    estate: shop
    stanza: shop
    database: shop
    user: shop_application
"""

RETURN = r"""
told:
  description: What was made; empty where nothing was.
  returned: always
  type: dict
  sample:
    path: /var/lib/estate-copy
    id: 3f9c2b7d51e0a864
    estate: shop
    point: {name: 20261128t013000z, at: "2026-11-28T01:30:00Z"}
    made: "2026-11-28T09:12:44Z"
    odoo: {series: "14.0", image: "registry.example.com/odoo@sha256:9f86…"}
    server_version: "17.6"
    attachments: 20412
    lost: []
    bytes: {database.dump: 48211034, files.tar: 986120192}
    phases: {database: 62.0, filestore: 48.1, neutral: 0.4, dump: 9.0, files: 6.2}
controls:
  description: What holds of the restored pair.
  returned: always
  type: list
  elements: dict
  sample:
    - id: copy.attachments
      title: Every attachment is on disk, with its content
      state: pass
      observed: []
      expected: []
      reason: ""
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.retailerp.estate.plugins.module_utils.copies.make import Make
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import restic
from ansible_collections.retailerp.estate.plugins.module_utils.odoo import database
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run


def main() -> None:
    """Read the options and copy."""
    module = AnsibleModule(
        argument_spec={
            **restic.ARGUMENTS,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "name": {"type": "str", "default": "latest"},
            "estate": {"type": "str", "required": True},
            "stanza": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "root": {"type": "path", "default": "/var/lib/retailerp-estate/copy"},
            "directory": {"type": "path", "default": "/var/lib/estate-copy"},
            "owner": {"type": "int", "default": 0},
            "longest_s": {"type": "int", "default": 14400},
        },
        supports_check_mode=True,
    )
    if database.IMPORT_ERROR and not module.check_mode:
        module.fail_json(msg=missing_required_lib("psycopg"), exception=database.IMPORT_ERROR)
    # Files that go with the copy's directory are root's.
    copy = Make({**module.params, "uid": 0})
    # A stanza is restored by one at a time: the lock is the drill's, too.
    run(module, copy, lock="restore_drill", told=copy.told)


if __name__ == "__main__":
    main()
