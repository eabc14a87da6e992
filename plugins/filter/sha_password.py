# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password as basic authentication stores it."""

from __future__ import annotations

import base64
import hashlib

DOCUMENTATION = r"""
name: sha_password
short_description: A password as basic authentication stores it
version_added: 0.1.0
author: The retailerp.estate authors (@retailerp)
description:
  - Gives the C({SHA}) form of a user file, which Traefik and other servers read.
  - It is the same for the same password, so that nothing changes on a second run, and needs no library. It has no salt
    and is quick to compute, which is harmless for a password of many random characters and for no other.
positional: _input
options:
  _input:
    description: A random password of at least 20 characters; shorter ones are refused.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: A line of a user file
  ansible.builtin.debug:
    msg: "operator:{{ estate_secrets.traefik_operator | retailerp.estate.sha_password }}"
"""

RETURN = r"""
_value:
  description: The stored form.
  type: str
  sample: "{SHA}qvTGHdzF6KLavt4PO0gs2a6pQ00="
"""

SHORTEST = 20


def sha_password(password: str) -> str:
    """The {SHA} form of a password; ValueError for one that could be guessed."""
    if len(password) < SHORTEST:
        raise ValueError(f"a password of fewer than {SHORTEST} characters may not be stored without a salt")
    return "{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()


class FilterModule:
    """Names the filters of this file."""

    def filters(self) -> dict:
        """Each filter by its name."""
        return {"sha_password": sha_password}
