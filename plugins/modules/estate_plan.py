#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: estate_plan
short_description: Plan an estate from its specification, on the controller
version_added: 0.1.0
description:
  - Reads C(estate_spec), C(estate_secrets) and, while passwords are rotated, C(estate_secrets_next), the inventory's
    groups C(edge), C(app), C(db), C(cache) and C(ops), and the host variables C(estate_address) (or C(ansible_host)),
    C(estate_public_address), C(estate_memory_mb), C(estate_cpus), C(estate_service_ports) and
    C(postgresql_initial_role).
  - Checks all of it against the schema of the role P(retailerp.estate.estate#role) and against the rules between
    values, and fails with every problem at once, a line each, named by its YAML path. A locked vault is one of these.
  - Returns the plan as the fact C(estate). The fact holds no secret.
  - It connects to no host and always plans the whole inventory, whatever C(--limit) says.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
notes:
  - Run it with C(run_once), or through the role P(retailerp.estate.estate#role) with C(rolespec_validate=false).
"""

EXAMPLES = r"""
- name: Plan the estate
  hosts: all
  gather_facts: false
  tasks:
    - name: Refuse a bad specification before any host is touched
      retailerp.estate.estate_plan:
      run_once: true

    - name: Show what this host is to be
      ansible.builtin.debug:
        var: ansible_facts['estate'].hosts[inventory_hostname]
"""

RETURN = r"""
ansible_facts:
  description: Facts to add to every host of the play.
  returned: success
  type: complex
  contains:
    estate:
      description: The plan.
      type: dict
      contains:
        id:
          description: Name of the estate.
          type: str
          sample: shop
        environment:
          description: What it is for.
          type: str
          sample: production
        domain:
          description: Public name.
          type: str
          sample: shop.example.com
        admin_domain:
          description: Name of the administration site.
          type: str
          sample: admin.shop.example.com
        time_zone:
          description: Time zone of the hosts.
          type: str
          sample: Europe/Berlin
        private_network:
          description: Network of the private addresses.
          type: str
          sample: 10.20.0.0/24
        admin_networks:
          description: Networks that may administer.
          type: list
          elements: str
          sample: [10.20.0.0/24]
        ca_file:
          description: Further trusted roots, an absolute path on the controller, or nothing.
          type: str
          sample: /home/operator/roots.pem
        sites_ca_file:
          description: What the controller trusts when it asks the sites from outside; nothing stands for its own store.
          type: str
          sample: /home/operator/roots.pem
        names:
          description: Inventory name → private address, of all hosts.
          type: dict
          sample: {app1: 10.20.0.21}
        hosts:
          description:
            - Inventory name → tiers, address, public_address, memory_mb, cpus, flows, docker, traefik, odoo,
              postgresql, redis; nothing for what a host is not.
          type: dict
          sample: {cache1: {tiers: [cache], redis: {address: 10.20.0.41, port: 6379, maxmemory_mb: 512}}}
"""
