# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new estate is made of when nothing else is left: the inventory as files, and the secrets."""

from __future__ import annotations

DOCUMENTATION = r"""
name: recovery_kit
short_description: The inventory of an estate and its secrets, as one text to be sealed
version_added: 0.1.0
author: The retailerp.estate authors (@retailerp)
description:
  - Reads the run's inventory on the controller and writes it anew, whatever form it has there - groups and variables of
    every host in C(hosts.yml), the specification in C(group_vars/all/estate.yml), every file of trusted roots that it
    names beside it, under a name of its own. Templates are resolved.
  - Of the hosts' variables it takes those that the plan reads, login and port, the fence command and the limits. How
    this very controller reaches the hosts (keys, jump hosts) is not in it.
  - The result holds every secret in plain text. It is the same for the same inventory.
options:
  _terms:
    description: None.
"""

EXAMPLES = r"""
- name: The kit, for the holder of the recovery key alone
  ansible.builtin.copy:
    content: >-
      {{ lookup('retailerp.estate.recovery_kit')
         | retailerp.estate.sealed(recipient=estate_spec.backup.recovery_key) }}
    dest: /srv/recovery/estate.age
    mode: "0600"
"""

RETURN = r"""
_raw:
  description: >-
    JSON with C(version), C(id), C(hosts) (their names), C(files) (path in the inventory → text) and C(secrets).
  type: list
  elements: str
"""

import json
from pathlib import Path

import yaml
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import HOST_VARS, TIERS
from ansible_collections.retailerp.estate.plugins.plugin_utils import specification
from ansible_collections.retailerp.estate.plugins.plugin_utils.resolve import Resolver

VERSION = 2
GROUPS = (*TIERS, "docker_hosts")
CARRIED = (
    *HOST_VARS,
    "ansible_user",
    "ansible_port",
    "postgresql_fence_command",
    "postgresql_limits",
    "postgresql_backup_limits",
)
#: Not a folder of its own: Ansible would take every file in it for an inventory.
BESIDE = "group_vars/all"
HOSTS = """\
---
# Out of the recovery kit: the hosts as they were. New machines keep these names and get addresses of their own.
# postgresql_fence_command must switch off the new ones, not the old; how SSH gets there is for you to add.
"""
ESTATE = """\
---
# Out of the recovery kit. `ansible-doc -t role retailerp.estate.estate` explains each value.
"""


class LookupModule(LookupBase):
    """See DOCUMENTATION. No error repeats a value."""

    def run(self, terms: list, variables: dict | None = None, **kwargs: object) -> list[str]:
        """One kit."""
        resolver, known = Resolver(self._templar), variables or {}
        names = ("estate_spec", "estate_secrets", "estate_sites_ca_file")
        spec, secrets, sites = (resolver.read(known.get(name), name) for name in names)
        groups = _groups(known["groups"], known["hostvars"], resolver)
        bases = specification.directories(known.get("ansible_inventory_sources") or [])
        spec, problems = specification.with_ca_file(spec, bases)
        sites, more = specification.certificates(sites, "estate_sites_ca_file", bases)
        problems += [*resolver.problems, *more]
        if problems:
            raise AnsibleLookupError(f"recovery kit: {'; '.join(map(str, problems))}")
        kit = {"version": VERSION, "id": spec["id"], "secrets": secrets, **written(spec, sites, groups)}
        return [json.dumps(kit, indent=2, sort_keys=True)]


def _groups(groups: dict, hostvars: dict, resolver: Resolver) -> dict:
    """Group → host → its variables, which stand where a host is named first."""
    found, seen = {}, set()
    for group in (group for group in GROUPS if groups.get(group)):
        found[group] = {}
        for name in map(str, groups[group]):
            own = {} if name in seen else {key: resolver.host_value(hostvars, name, key) for key in CARRIED}
            found[group][name] = {key: value for key, value in own.items() if value is not None}
            seen.add(name)
    return found


def written(spec: dict, sites: str | None, groups: dict) -> dict:
    """Names of the hosts, and the inventory as path → text. The files of roots that it names come from this disk."""
    files = {}

    def beside(path: str, name: str) -> str:
        files[f"{BESIDE}/{name}"] = Path(path).read_text(encoding="utf-8", errors="replace")
        return f"{BESIDE}/{name}"

    if spec.get("ca_file"):
        spec = {**spec, "ca_file": beside(spec["ca_file"], "ca.pem")}
    if spec.get("backup"):
        places = [
            {**place, "ca_file": beside(place["ca_file"], f"backup_{number}_ca.pem")} if place.get("ca_file") else place
            for number, place in enumerate(spec["backup"]["repositories"], 1)
        ]
        spec = {**spec, "backup": {**spec["backup"], "repositories": places}}
    estate = {"estate_spec": spec}
    if sites:
        estate["estate_sites_ca_file"] = beside(sites, "sites_ca.pem")
    hosts = {"all": {"children": {group: {"hosts": members} for group, members in groups.items()}}}
    files[f"{BESIDE}/estate.yml"] = ESTATE + _yaml(estate)
    files["hosts.yml"] = HOSTS + _yaml(hosts)
    return {"hosts": list(dict.fromkeys(name for members in groups.values() for name in members)), "files": files}


def _yaml(value: dict) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=140)
