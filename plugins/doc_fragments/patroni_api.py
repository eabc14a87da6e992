# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that says where Patroni answers, for modules that know hosts without Patroni, too."""

from __future__ import annotations


class ModuleDocFragment:
    """Names C(retailerp.estate.patroni_api); the suboptions are C(PLACE) of patroni/api.py."""

    DOCUMENTATION = r"""
options:
  api:
    description: Where this host's Patroni answers. Needed where Patroni starts the server.
    type: dict
    suboptions:
      address:
        description: Its address.
        type: str
        required: true
      api_port:
        description: Its TCP port.
        type: int
        default: 8008
      tls_directory:
        description: Directory with C(ca.pem), C(cert.pem) and C(key.pem).
        type: path
        required: true
"""
