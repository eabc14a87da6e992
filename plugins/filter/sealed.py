# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text sealed to a recovery key."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.plugin_utils.sealing import seal

DOCUMENTATION = r"""
name: sealed
short_description: Text sealed to a recovery key
version_added: 0.1.0
author: The retailerp.estate authors (@retailerp)
description:
  - Gives an armoured file that C(age) opens with the recovery key. The controller needs its public part only.
  - It is the same for the same text and key, so that nothing changes on a second run. That is safe for the secrets of
    an estate, which nobody can guess, and for no other text.
positional: _input
options:
  _input:
    description: What is sealed, 200 bytes at least, with random secrets in it.
    type: str
    required: true
  recipient:
    description: The recovery key's public part, as C(age-keygen) prints it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: The secrets of an estate, for the holder of the recovery key
  ansible.builtin.copy:
    content: "{{ estate_secrets | to_nice_json | retailerp.estate.sealed(recipient=estate_spec.backup.recovery_key) }}"
    dest: /srv/recovery/secrets.age
    mode: "0600"
"""

RETURN = r"""
_value:
  description: The armoured file.
  type: str
  sample: "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl…\n-----END AGE ENCRYPTED FILE-----\n"
"""


def sealed(text: str, recipient: str) -> str:
    """See DOCUMENTATION. No error repeats the text."""
    try:
        return seal(text, recipient)
    except EstateError as err:
        raise AnsibleFilterError(f"recovery key: {err}") from None


class FilterModule:
    """Names the filters of this file."""

    def filters(self) -> dict:
        """Each filter by its name."""
        return {"sealed": sealed}
