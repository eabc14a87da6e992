# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of verify: judges registered results, touches no host."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.retailerp.estate.plugins.module_utils.host.verdict import findings


class ActionModule(ActionBase):
    """See the module's documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict | None = None) -> dict:
        """Fail with a line for each thing that does not hold."""
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec({"results": {"type": "raw", "required": True}})
        host = (task_vars or {}).get("inventory_hostname", "")
        lines, controls = findings(args["results"])
        result.update(changed=False, controls=controls, findings=lines)
        if lines:
            result.update(failed=True, msg="\n".join(f"{host}: {line}" for line in lines))
        else:
            exempt = sum(control["state"] == "exempt" for control in controls)
            result["msg"] = f"{host}: {len(controls) - exempt} controls hold" + (f", {exempt} exempt" if exempt else "")
        return result
