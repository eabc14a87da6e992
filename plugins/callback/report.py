# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long each phase of a run took, for the person who waits; and the whole run as JSON, for who evaluates it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report
type: aggregate
short_description: Phase times of a run, and its record as JSON
version_added: 0.1.0
author: The retailerp.estate authors (@retailerp)
description:
  - After the recap, prints how many seconds each play took.
  - Where O(record) is set, writes the tasks and results of the run there, without the modules' arguments.
requirements:
  - Enable it in C(callbacks_enabled).
options:
  record:
    description: File to write the record to (mode 0600). Nothing is written where it is empty.
    type: path
    env:
      - name: ESTATE_RECORD
    ini:
      - section: callback_estate_report
        key: record
"""

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

KEPT = ("changed", "failed", "skipped", "unreachable", "msg", "changes", "controls")


class CallbackModule(CallbackBase):
    """Collects plays and tasks as they run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "retailerp.estate.report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.plays: list[dict[str, Any]] = []

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A phase begins."""
        self.plays.append({"name": play.get_name(), "start": time.monotonic(), "tasks": []})

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task begins, for all hosts of the play."""
        self.plays[-1]["tasks"].append(
            {"name": task.get_name(), "action": task.action, "start": time.monotonic(), "hosts": {}}
        )

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """A handler begins."""
        self.v2_playbook_on_task_start(task, False)

    def _note(self, result: Any, **state: bool) -> None:
        kept = {key: result._result[key] for key in KEPT if key in result._result}
        self.plays[-1]["tasks"][-1]["hosts"][result._host.get_name()] = {**kept, **state}

    def v2_runner_on_ok(self, result: Any) -> None:
        """A host is done with a task."""
        self._note(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A host failed a task."""
        self._note(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host did not answer."""
        self._note(result, unreachable=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A host had nothing to do in a task."""
        self._note(result, skipped=True)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run is over: tell the times, write the record."""
        now = time.monotonic()
        ends = [play["start"] for play in self.plays[1:]] + [now]
        for play, end in zip(self.plays, ends):
            play["seconds"] = round(end - play["start"], 1)
        self._display.banner("PHASES")
        for play in self.plays:
            if play["seconds"] >= 1:
                self._display.display(f"{play['seconds']:8.1f} s  {play['name']}")
        self._display.display(f"{now - self.plays[0]['start'] if self.plays else 0:8.1f} s  altogether")
        path = self.get_option("record")
        if path:
            record = {
                "plays": self.plays,
                "stats": {host: stats.summarize(host) for host in sorted(stats.processed)},
            }
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(record, file, default=str)
