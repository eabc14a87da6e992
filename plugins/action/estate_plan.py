# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the operator's variables on the controller, plan the estate, return the plan as a fact. Connects to no host."""

from __future__ import annotations

from zoneinfo import available_timezones

from ansible.plugins.action import ActionBase

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import HOST_VARS, TIERS, Problem
from ansible_collections.retailerp.estate.plugins.module_utils.estate.plan import plan, problems
from ansible_collections.retailerp.estate.plugins.plugin_utils import authority, duplicates, specification
from ansible_collections.retailerp.estate.plugins.plugin_utils.resolve import Resolver


class ActionModule(ActionBase):
    """Plans the whole inventory, whatever `--limit` says: a host's slice depends on the hosts beside it."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset()

    def run(self, tmp=None, task_vars=None):
        """Return the fact `estate`, or fail with every problem, a line each."""
        result = super().run(tmp, task_vars)
        resolver = Resolver(self._templar)
        sources = task_vars.get("ansible_inventory_sources") or []
        bases = specification.directories(sources)
        spec = resolver.read(task_vars.get("estate_spec"), "estate_spec")
        secrets = resolver.read(task_vars.get("estate_secrets"), "estate_secrets")
        coming = resolver.read(task_vars.get("estate_secrets_next"), "estate_secrets_next")
        sites_ca = resolver.read(task_vars.get("estate_sites_ca_file"), "estate_sites_ca_file")
        hosts = self._hosts(task_vars, resolver)
        found = [*resolver.problems, *self._differing(task_vars), *authority.problems(secrets)]
        found += specification.without_hosts(sources, task_vars["groups"])
        found += duplicates.problems(specification.files_of_all(bases[0]) if bases else [])
        if isinstance(spec, dict):
            spec, more = specification.with_ca_file(spec, bases)
            found += more
        sites_ca, more = specification.certificates(sites_ca, "estate_sites_ca_file", bases)
        found += more
        options = specification.options()
        known = {"neighbours": specification.neighbours(bases), "time_zones": available_timezones()}
        # Without a baseline in the specification nothing of it is read.
        asked = isinstance(spec, dict) and spec.get("baseline")
        known.update(next_secrets=coming, controls=specification.controls() if asked else ())
        found = sorted({*found, *problems(spec, hosts, secrets, options, **known)})
        if found:
            count = "one problem" if len(found) == 1 else f"{len(found)} problems"
            lines = "\n".join(str(problem) for problem in found)
            return {**result, "failed": True, "msg": f"{count} in the specification; no host was touched:\n{lines}"}
        estate = plan(spec, hosts, options, secrets)
        estate["sites_ca_file"] = sites_ca or estate["ca_file"]
        return {**result, "changed": False, "ansible_facts": {"estate": estate}}

    @staticmethod
    def _hosts(task_vars, resolver):
        """Variables of every host that is in a tier: name → values, with its groups."""
        groups, hostvars, hosts = task_vars["groups"], task_vars["hostvars"], {}
        for tier in TIERS:
            for name in groups.get(tier, ()):
                if name not in hosts:
                    own = {key: resolver.host_value(hostvars, name, key) for key in HOST_VARS}
                    hosts[str(name)] = {"groups": [], **own}
                hosts[str(name)]["groups"].append(tier)
        return hosts

    @staticmethod
    def _differing(task_vars):
        """One inventory holds one estate: every host of a tier has the same specification."""
        hostvars, own = task_vars["hostvars"], task_vars.get("estate_spec")
        names = {name for tier in TIERS for name in task_vars["groups"].get(tier, ())}
        others = sorted(str(name) for name in names if hostvars.raw_get(name).get("estate_spec") != own)
        if not others:
            return []
        here = task_vars["inventory_hostname"]
        hint = "one inventory holds one estate; write it in group_vars/all alone"
        return [Problem("estate_spec", f"differs between {here} and {', '.join(others)}; {hint}")]
