# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of what a baseline is made of, for the modules that hold a host against one."""

from __future__ import annotations


class ModuleDocFragment:
    """See docs/decisions/0017-host-baseline.md."""

    DOCUMENTATION = r"""
options:
  controls:
    description:
      - The controls of all hosts, as the files of the role P(retailerp.estate.docker_host#role) have them. Each has
        C(id), C(title), C(level), C(kind) and the options of its kind; C(references) and C(why) are for people.
      - >-
        With C(engine), true or false, a control is meant only for hosts with or without a container engine. With
        C(run), a command runs after the control's file was written; with C(check), a command has to accept it first;
        C(facility=audit) says that it needs the kernel's audit.
      - C(sysctl) - C(key) (with C(*) for every interface), C(value), and C(or), values that are as good.
      - C(kernel_module) - C(module), which can neither be loaded nor is.
      - C(mount) - C(path) and C(options) of a mount.
      - C(line) - C(path) of a file of the baseline's own, and the control's C(lines) in it; C(section) and C(mode).
      - C(text) - C(path) and C(text), the whole file.
      - C(setting) - C(path) of a file that a package brought, C(key), C(value) and C(separator).
      - C(path) - C(path) or pattern, C(owner), C(group) and C(mode), the most generous one; with C(make), a
        directory that is made where there is none.
      - C(package) - C(package) and C(state), C(present) or C(absent).
      - C(unit) - C(unit) and C(state), C(running), C(off) or C(masked).
      - C(account) - C(property) of all accounts together, and C(except), names it does not hold for.
      - C(sshd), C(daemon) - C(key) and C(value) that sshd or the container engine goes by; only told.
    type: list
    elements: dict
    required: true
  level:
    description: The level up to which controls are held; V(2) has what costs more.
    type: int
    choices: [1, 2]
    default: 2
  engine:
    description: Whether the host has a container engine.
    type: bool
    default: false
  exemptions:
    description: Controls that somebody answers for not holding. They are not applied. One that has expired fails.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: The control.
        type: str
        required: true
      reason:
        description: Why.
        type: str
        required: true
      owner:
        description: Who answers for it.
        type: str
        required: true
      expires:
        description: The last day on which it holds, as C("YYYY-MM-DD").
        type: str
        required: true
"""
