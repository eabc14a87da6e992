#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest minor version of the installed PostgreSQL on one host, and the one restart that it needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_minor_upgrade
short_description: Bring PostgreSQL to another minor version and restart it
version_added: 0.2.0
description:
  - Upgrades every installed package that is built from the source of the installed major version, held or not, and
    holds the server's afterwards. No package starts, stops or restarts the server; this module restarts it once, waits
    until it answers and, on a standby, until it streams again.
  - >-
    Where Patroni starts the server (O(manager=patroni)), it is asked to restart it, and only a standby is restarted. It
    waits until commits can wait for all other standbys before, and until they wait for this one afterwards.
    A leader is refused before anything changes, and so is a member whose server Patroni does not start.
  - >-
    A server whose program was replaced by somebody else since it started is restarted, too. One that does not run is
    not started.
  - What the release notes ask for besides a restart (now and then C(REINDEX)) is not known here.
  - >-
    Fetches the package lists, in check mode as well, unless O(to) is among those that are there.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
  - retailerp.estate.postgresql_server
  - retailerp.estate.patroni_api
options:
  member:
    description: This member's name.
    type: str
    required: true
  to:
    description: >-
      PostgreSQL's version (C(17.6)) or the package's (C(17.6-0+deb13u1)). Without it, the one that apt would install.
    type: str
"""

EXAMPLES = r"""
- name: Newest minor version
  retailerp.estate.postgresql_minor_upgrade:
    member: db2
    version: "17"
"""

RETURN = r"""
package:
  description: The version of the server's package that is reached (C(target)), or would be in check mode.
  returned: success
  type: dict
  sample: {target: 17.6-0+deb13u1}
changes:
  description: What was done, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {resource: package postgresql-17, action: update, before: 17.5-1, after: 17.6-0+deb13u1}
    - {resource: service postgresql@17-main.service, action: restart, before: "17.5", after: "17.6"}
controls:
  description: None; M(retailerp.estate.postgresql_replication_info) has them.
  returned: always
  type: list
  elements: dict
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.host.packages import Packages
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.patroni import api
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import member, minor, server, status
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import PRIMARY, READY
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

STREAM_S = 60
RESTART_S = 120
SHOWN = "--showformat=${source:Package} ${Package} ${db:Status-Status} ${Version}\n"


class Minor:
    """The capability: the packages of one server and its restart. `answer` holds what is told besides changes."""

    def __init__(self, params: dict, system: System) -> None:
        self.params, self.major, self.system = params, params["version"], system
        self.layout = server.Layout.of(params)
        self.package = f"postgresql-{self.major}"
        self.packages = Packages([], [self.package], system)
        self.patroni = api.of(params["api"]) if params["manager"] == "patroni" else None
        self.answer: dict = {}
        self.found = minor.Found()
        self._refreshed = False

    def read(self) -> minor.Found:
        """The packages, what the sources offer, and the server."""
        if self.patroni:
            self._wait_for_patroni()
        seen = self.packages.read()
        installed, broken = {}, list(seen.broken())
        for line in self._out(["dpkg-query", "--show", SHOWN]).splitlines():
            source, name, state, version = line.split(" ", 3)
            if source == self.package and state not in ("not-installed", "config-files"):
                installed[name] = version
        if seen.journal:
            broken.append("dpkg's journal")
        offered = self._offered()
        self.found = minor.Found(
            installed=installed,
            candidate=offered[0],
            offered=offered[1],
            broken=tuple(broken),
            running=server.is_running(self.layout),
            outdated=server.is_outdated(self.layout),
            unheld=self.package in installed and not seen.held(self.package),
        )
        return self.found

    def plan(self, current: minor.Found) -> list[Change]:
        """Pure; see module_utils/postgresql/minor.py."""
        self.answer["target"] = minor.target(current, self.major, self.params["to"])
        return minor.plan(current, self.major, self.layout.unit, self.answer["target"])

    def apply(self, changes: list[Change]) -> None:
        """The packages in one call, then the restart."""
        steps = {change.data for change in changes}
        if self.patroni and "restart" in steps:
            api.wait_to_restart(self.patroni, self.params["member"], RESTART_S)
        if "packages" in steps:
            version = self.answer["target"]
            wanted = {name: version for name, present in self.found.installed.items() if present != version}
            self.packages.upgrade(wanted, mend=bool(self.found.broken))
        if "restart" in steps:
            self._restart()

    def controls(self, current: minor.Found) -> list[Control]:
        """None: what must hold of a running cluster is postgresql_replication_info's."""
        return []

    def _restart(self) -> None:
        primary = server.read_instance(self.layout, self.params["member"]).role == PRIMARY
        if self.patroni:
            api.restart_standby(self.patroni, self.params["member"], RESTART_S)
        else:
            if primary:
                member.permit()
            server.restart(self.layout, self.params["port"])
        _instance, state = status.wait(self.layout, self.params["member"], self.params["port"], (), STREAM_S)
        if not primary and (state is None or state.receiver is None or state.receiver["status"] != "streaming"):
            raise EstateError(
                f"{self.params['member']} was restarted and does not stream after {STREAM_S} s; see its log"
            )

    def _wait_for_patroni(self) -> None:
        """A leader that has just handed over is started again by Patroni: what is due depends on what then runs."""
        name = self.params["member"]
        instance, _state = status.wait(self.layout, name, self.params["port"], (), STREAM_S)
        if instance.data == READY and not instance.running:
            raise EstateError(
                f"{name} does not run, and Patroni does not start it: see journalctl -u {self.layout.unit}"
            )

    def _offered(self) -> tuple:
        """apt's view; its lists are fetched once, unless the version that is meant stands in them."""
        seen = minor.parse_policy(self._out(["apt-cache", "policy", self.package]))
        if self._refreshed or (self.params["to"] in seen[1]):
            return seen
        self.packages.refresh()
        self._refreshed = True
        return self._offered()

    def _out(self, argv: list[str]) -> str:
        code, out, err = self.system.run(argv)
        if code:
            raise EstateError(f"{argv[0]} ended with {code}: {err.strip()[-300:]}")
        return out


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "member": {"type": "str", "required": True},
            **server.ARGUMENTS,
            "to": {"type": "str"},
            "api": {"type": "dict", "options": api.PLACE},
        },
        required_if=[("manager", "patroni", ("api",))],
        supports_check_mode=True,
    )
    capability = Minor(module.params, System())
    runner.run(module, capability, lock="postgresql_cluster", package=capability.answer)


if __name__ == "__main__":
    main()
