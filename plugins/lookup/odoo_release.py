# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release that a plan, its secrets and our addons make together."""

from __future__ import annotations

DOCUMENTATION = r"""
name: odoo_release
short_description: Identity, files and containers of a release of Odoo
version_added: 0.1.0
author: The retailerp.estate authors (@retailerp)
description:
  - Renders C(odoo.conf), lays out the containers, and derives the release's identity from both, from the certificate
    authority and from every file of the addons. Whatever of these changes makes another release.
  - Works on the controller. The result holds secrets.
options:
  _terms:
    description: The app host's slice of the plan, one.
    required: true
  id:
    description: The estate's id.
    type: str
    required: true
  secrets:
    description: Passwords - C(database) of the application's role, C(sessions) of the Redis user, C(master) of Odoo's
      database manager.
    type: dict
    required: true
  ca_certificate:
    description: What signs the database's and the cache's certificates, PEM.
    type: str
    required: true
  addons:
    description: Directory on the controller with the addons the release ships.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Say which release is planned
  ansible.builtin.debug:
    msg: "{{ release.release }}"
  vars:
    release: "{{ lookup('retailerp.estate.odoo_release', odoo_plan, id='shop', secrets=passwords,
                        ca_certificate=certificate, addons='addons') }}"
"""

RETURN = r"""
_raw:
  description: C(release), C(root), C(directory), C(conf), C(ca_certificate) and C(containers).
  type: list
  elements: dict
"""

import hashlib
import os

from ansible.plugins.lookup import LookupBase

from ansible_collections.retailerp.estate.plugins.module_utils.odoo.release import build

SKIPPED = ("__pycache__",)


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(self, terms: list, variables: dict | None = None, **kwargs: object) -> list[dict]:
        """One release a term."""
        self.set_options(var_options=variables, direct=kwargs)
        addons = digests(self.get_option("addons"))
        secrets, ca_certificate = self.get_option("secrets"), self.get_option("ca_certificate")
        return [build(plan, self.get_option("id"), secrets, ca_certificate, addons) for plan in terms]


def digests(root: str) -> dict[str, str]:
    """SHA-256 of every file under a directory, by its path within."""
    found = {}
    for directory, below, names in os.walk(root):
        below[:] = [name for name in below if name not in SKIPPED]
        for name in names:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, root)] = hashlib.sha256(file.read()).hexdigest()
    return dict(sorted(found.items()))
