#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what this host is: release, memory, processors, addresses, clock, free space. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Compare a host with what was planned for it, changing nothing
version_added: 0.1.0
description:
  - Asks the host for its release, memory, processors, addresses, clock, free space and rights, in one round trip, and
    compares the answer with the host's part of the fact C(estate).
  - Fails with all that does not hold, a line each.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
notes:
  - Needs the fact C(estate) of M(retailerp.estate.estate_plan).
"""

EXAMPLES = r"""
- name: Refuse hosts that are not what was planned
  retailerp.estate.preflight:
  become: true
"""

RETURN = r"""
controls:
  description: What must hold before a host is changed, and whether it does.
  returned: success
  type: list
  elements: dict
  sample:
    - id: preflight.memory
      title: The memory declared is there
      state: pass
      observed: 3920 MiB
      expected: 4096 MiB
      reason: ""
host:
  description: What the host says of itself.
  returned: when the module runs without its action plugin
  type: dict
  sample: {distribution: debian, release: "13", memory_mb: 3920, cpus: 2, free_mb: 18211, uid: 0}
"""

import json
import os
import re
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def release(text):
    """(distribution, release) from the text of /etc/os-release."""
    values = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.M))
    return values.get("ID", "unknown"), values.get("VERSION_ID", "unknown")


def memory_mb(text):
    """Memory in MiB from the text of /proc/meminfo."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", text, re.M)
    return int(found.group(1)) // 1024 if found else 0


def addresses(text):
    """IPv4 addresses from the output of `ip -json -4 address`."""
    return [
        entry["local"] for link in json.loads(text or "[]") for entry in link.get("addr_info", []) if "local" in entry
    ]


def free_mb(path):
    """Space (MiB) that is free to root under a path."""
    state = os.statvfs(path)
    return state.f_bavail * state.f_frsize // (1024 * 1024)


def main():
    """Read, answer, change nothing."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    distribution, number = release(Path("/etc/os-release").read_text(encoding="utf-8"))
    command = [module.get_bin_path("ip", required=True), "-json", "-4", "address"]
    module.exit_json(
        changed=False,
        host={
            "distribution": distribution,
            "release": number,
            "memory_mb": memory_mb(Path("/proc/meminfo").read_text(encoding="ascii")),
            "cpus": len(os.sched_getaffinity(0)),
            "addresses": addresses(module.run_command(command, check_rc=True)[1]),
            "free_mb": free_mb("/var"),
            "uid": os.geteuid(),
            "init": Path("/proc/1/comm").read_text(encoding="ascii").strip(),
            "systemd": Path("/run/systemd/system").is_dir(),
            "time_s": time.time(),
        },
    )


if __name__ == "__main__":
    main()
