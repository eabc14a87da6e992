#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: new_retailer
short_description: Write the inventory of a new retailer, secrets made and encrypted
version_added: 0.1.0
description:
  - Writes C(<directory>/<id>/) with C(hosts.yml), C(group_vars/all/estate.yml) and C(group_vars/all/vault.yml) on the
    controller.
  - Writes all of it or nothing. Missing values, a missing vault password, files that say something else, and all that
    the plan would refuse are reported together, each named by the value it came from.
  - Files that are there are never overwritten; secrets that are there are kept.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
options:
  directory:
    description: Where the inventory is written. A relative path starts at the working directory.
    type: path
    default: inventories
  id:
    description: Name of the estate, and of the directory.
    type: str
    required: true
  domain:
    description: Name at which shoppers and staff reach Odoo.
    type: str
    required: true
  purpose:
    description: The estate's C(environment).
    type: str
    choices: [production, staging, test]
    default: production
  address:
    description: Private IPv4 address of the host.
    type: str
    required: true
  public_address:
    description: Public IPv4 address of the host.
    type: str
    required: true
  private_network:
    description: Network (CIDR) of the private addresses. Without it, the C(/24) around O(address).
    type: str
  memory_mb:
    description: Memory of the host in MiB.
    type: int
    required: true
  cpus:
    description: Processors of the host.
    type: int
    required: true
  users:
    description: People who work in Odoo at the same time.
    type: int
  odoo_series:
    description: Odoo series of the image.
    type: str
    required: true
  odoo_image:
    description: Odoo image as C(registry/name@sha256:digest).
    type: str
    required: true
  traefik_image:
    description: Traefik image as C(registry/name@sha256:digest).
    type: str
    required: true
  email:
    description: Address that the certificate authority writes to.
    type: str
  acme_directory:
    description: URL of the ACME directory.
    type: str
  ca_file:
    description: PEM file on the controller with further roots to trust.
    type: path
  tenant_id:
    description: Microsoft Entra tenant (a UUID).
    type: str
    required: true
  client_id:
    description: Application (client) id of Odoo's registration.
    type: str
    required: true
  authority:
    description: Root of the sign-in service.
    type: str
  entra_client_secret:
    description: Client secret of Odoo's registration. Required unless the vault file holds it.
    type: str
notes:
  - Encrypts with the vault password of the run, and refuses to write without one.
"""

EXAMPLES = r"""
- name: Write the inventory of a boutique
  retailerp.estate.new_retailer:
    id: boutique
    domain: boutique.example.com
    address: 10.20.0.11
    public_address: 203.0.113.7
    memory_mb: 8192
    cpus: 4
    odoo_series: "14.0"
    odoo_image: registry.example.com/odoo@sha256:8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4
    traefik_image: registry.example.com/traefik@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    tenant_id: 1b9c0f9e-1111-4222-8333-944455556666
    client_id: 2b9c0f9e-1111-4222-8333-944455556666
    entra_client_secret: "{{ lookup('ansible.builtin.env', 'ENTRA_CLIENT_SECRET') }}"
"""

RETURN = r"""
directory:
  description: The inventory's directory, as an absolute path.
  returned: success
  type: str
  sample: /home/operator/inventories/boutique
files:
  description: Files that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/home/operator/inventories/boutique/hosts.yml]
"""
