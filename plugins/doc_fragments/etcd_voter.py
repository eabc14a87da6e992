# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which voter of etcd this is, and which others there are."""

from __future__ import annotations


class ModuleDocFragment:
    """Names C(retailerp.estate.etcd_voter); the argument spec is C(ARGUMENTS) of etcd/client.py."""

    DOCUMENTATION = r"""
options:
  name:
    description: This voter's name in O(members).
    type: str
    required: true
  members:
    description: The address of each planned voter, this one included, by name.
    type: dict
    required: true
  client_port:
    description: TCP port on which voters serve clients.
    type: int
    default: 2379
  peer_port:
    description: TCP port on which voters serve each other.
    type: int
    default: 2380
  tls_directory:
    description: Where C(key.pem), C(cert.pem) and C(ca.pem) of this voter lie; see M(retailerp.estate.tls_certificate).
    type: path
    default: /etc/estate/tls/etcd
"""
