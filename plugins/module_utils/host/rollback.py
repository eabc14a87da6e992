# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A timer on the host that takes the way back unless it is stopped. It is enabled: a reboot only starts it anew."""

from __future__ import annotations

from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

UNITS = "/etc/systemd/system"
SERVICE = """[Unit]
Description=Put the configuration set {name} back as it was
ConditionPathExists={script}
[Service]
Type=oneshot
ExecStart=/bin/sh {script}
"""
TIMER = """[Unit]
Description=Put the configuration set {name} back unless its change is confirmed
[Timer]
OnActiveSec={after_s}
AccuracySec=1s
[Install]
WantedBy=timers.target
"""


class RollbackTimer:
    """The timer of one configuration set; `script` is the way back, `ids` own the unit files."""

    def __init__(self, system: Any, name: str, script: str, ids: tuple[int, int], units: str = UNITS) -> None:
        self._system, self._set, self._script, self._ids = system, name, script, ids
        self.name = f"retailerp-estate-rollback-{name}"
        self._service, self._timer = f"{units}/{self.name}.service", f"{units}/{self.name}.timer"
        self.files = [f"{units}/timers.target.wants/{self.name}.timer", self._timer, self._service]

    def arm(self, after_s: int) -> None:
        """From now on, and from each boot on, the host goes back after so many seconds."""
        texts = {self._service: SERVICE, self._timer: TIMER}
        for path, text in texts.items():
            content = text.format(name=self._set, script=self._script, after_s=after_s)
            self._system.write(path, content.encode(), *self._ids, 0o644)
        for command in (["daemon-reload"], ["enable", "--quiet", "--now", f"{self.name}.timer"]):
            code, _out, err = self._system.run(["systemctl", *command])
            if code != 0:
                raise EstateError(f"systemctl {command[0]} failed (code {code}): {err.strip()[-300:]}")

    def disarm(self) -> None:
        """Stop a timer that is still due; when it has gone off already, let the way back end first."""
        if not any(self._system.exists(path) for path in self.files):
            return
        self._system.run(["systemctl", "disable", "--quiet", "--now", f"{self.name}.timer"])
        for _second in range(60):
            if self._system.unit(f"{self.name}.service").state not in ("active", "activating"):
                break
            self._system.pause(1)
        else:
            raise EstateError(f"the host is putting an old configuration back without end; see {self.name}.service")
        for path in self.files:
            self._system.remove(path)
        self._system.run(["systemctl", "daemon-reload"])
