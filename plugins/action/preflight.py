# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a host what it is, in one round trip, and compare with the plan."""

from __future__ import annotations

import time

from ansible.plugins.action import ActionBase

from ansible_collections.retailerp.estate.plugins.module_utils.estate import preflight


class ActionModule(ActionBase):
    """Runs the module of the same name on the host and judges its answer on the controller."""

    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset()

    def run(self, tmp=None, task_vars=None):
        """Return the controls; fail with a line for each that does not hold."""
        result = super().run(tmp, task_vars)
        name = task_vars["inventory_hostname"]
        estate = (task_vars.get("ansible_facts") or {}).get("estate")
        if not estate:
            return {**result, "failed": True, "msg": "there is no plan; run the role retailerp.estate.estate first"}
        planned = estate["hosts"].get(name)
        if not planned:
            return {**result, "changed": False, "skipped": True, "msg": f"{name} is in no tier of the estate"}
        asked = time.time()
        answer = self._execute_module(module_name="retailerp.estate.preflight", module_args={}, task_vars=task_vars)
        # Half of the round trip is a fair guess of when the host read its clock.
        middle = (asked + time.time()) / 2
        if answer.get("failed") or "host" not in answer:
            found = [preflight.unreadable(_first_line(answer.get("module_stderr") or answer.get("msg")))]
        else:
            state = {**answer["host"], "clock_offset_s": answer["host"]["time_s"] - middle}
            found = preflight.controls(state, planned)
        failed = [control for control in found if control.state == "fail"]
        if failed:
            lines = "\n".join(f"{name}: {preflight.line(control)}" for control in failed)
            return {**result, "failed": True, "msg": f"{name} is not what was planned; nothing was changed:\n{lines}"}
        return {**result, "changed": False, "controls": [control.report() for control in found]}


def _first_line(text):
    lines = [line for line in str(text or "no answer").splitlines() if line.strip()]
    return lines[0].strip()[:160] if lines else "no answer"
