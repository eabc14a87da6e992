#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: estate_secrets
short_description: Make an estate's secrets, keep them in its vault file, rotate them
version_added: 0.1.0
description:
  - Makes strong random passwords and the estate's own certificate authority, encrypts each value by itself with
    ansible-vault, and adds them to C(estate_secrets) in a YAML file on the controller. What is in the file is kept.
  - Refuses to write without a vault password, to mix vault passwords in one file, and to touch a file that holds plain
    text.
  - Passwords that are rotated have a next value for a while, in C(estate_secrets_next) of the same file. The playbook
    C(rotate_secrets) makes and adopts it.
  - The file is written whole or not at all, with mode 0600. No value appears in a result or a diff.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
options:
  path:
    description: The vault file. A relative path starts at the working directory.
    type: path
    required: true
  id:
    description: Name of the estate, for the name of its certificate authority.
    type: str
    required: true
  given:
    description:
      - Values made elsewhere, by name. C(entra_client_secret) must be among them unless the file holds it.
      - A value is used only for a secret the file lacks.
    type: dict
    default: {}
  generation:
    description:
      - C(current) makes what C(estate_secrets) lacks.
      - C(next) makes a next value for each of O(names), in C(estate_secrets_next). A next generation that is there is
        kept as it is, so that a rotation that was cut short goes on.
      - C(adopted) puts the next values in the place of the current ones and removes C(estate_secrets_next), in one
        write. Without a next generation nothing changes.
    type: str
    choices: [current, next, adopted]
    default: current
  names:
    description: Which secrets O(generation=next) makes a next value of. Without it, all that are rotated.
    type: list
    elements: str
    default: []
  vault_password_file:
    description: File with the vault password. Without it the vault passwords of the run are used.
    type: path
  vault_id:
    description: Which of the vault identities encrypts. Without it the first one does.
    type: str
notes:
  - Runs on the controller, whatever the host and the connection.
"""

EXAMPLES = r"""
- name: Complete the vault of a retailer
  retailerp.estate.estate_secrets:
    path: inventories/boutique/group_vars/all/vault.yml
    id: boutique
    given:
      entra_client_secret: "{{ lookup('ansible.builtin.env', 'ENTRA_CLIENT_SECRET') }}"
  run_once: true

- name: Begin to rotate the password of monitoring
  retailerp.estate.estate_secrets:
    path: inventories/boutique/group_vars/all/vault.yml
    id: boutique
    generation: next
    names: [postgresql_monitor]
  run_once: true
"""

RETURN = r"""
path:
  description: The vault file, as an absolute path.
  returned: success
  type: str
  sample: /home/operator/inventories/boutique/group_vars/all/vault.yml
created:
  description: Names of the secrets that were added, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [redis_monitor]
kept:
  description: Names of the secrets that were there.
  returned: success
  type: list
  elements: str
  sample: [ca_certificate, ca_private_key]
adopted:
  description: Names of the secrets whose next value became the current one, or would in check mode.
  returned: success
  type: list
  elements: str
  sample: [postgresql_monitor]
"""
