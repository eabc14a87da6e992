#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files that change together or not at all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_set
short_description: Change the files of one capability together or not at all
version_added: 0.1.0
description:
  - Renders every file on the controller and hands the whole set to the host in one call.
  - >-
    On the host - keeps the originals, writes candidates beside their targets, validates each, renames them into place,
    runs the checks of the whole set, acts on the units, and runs the probe. Whatever fails, every file, owner, mode and
    unit is put back and the task says what failed.
  - A run that was killed is finished by the next one, which acts on the units again.
  - With O(rollback_after_s) the host puts everything back unless the controller confirms over a new connection.
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
options:
  name:
    description: Names the set on the host, for its journal and its timer.
    type: str
    required: true
  files:
    description: The files, in any order. Missing parent directories are made, owned by root, mode 0755.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path on the host.
        type: path
        required: true
      state:
        description: What has to be there. C(absent) removes files and links, never directories.
        type: str
        choices: [file, directory, link, absent]
        default: file
      template:
        description: A Jinja2 template, found as M(ansible.builtin.template) finds it.
        type: str
      source:
        description: A file copied as it is, found as by M(ansible.builtin.copy). A directory is copied with all in it.
        type: str
      content:
        description: The content itself.
        type: str
      target:
        description: Where a link points.
        type: str
      owner:
        description: User name or number.
        type: str
        default: root
      group:
        description: Group name or number.
        type: str
        default: root
      mode:
        description: Octal mode, quoted. Default 0755 for directories, 0600 for secret files, otherwise 0644.
        type: str
      secret:
        description: Hide the content in every output, only telling that it differs.
        type: bool
        default: false
      validate:
        description: Command that must accept the candidate, whose path takes the place of C(%s). No shell.
        type: str
      exclusive:
        description: >-
          For a C(directory) that is this set's alone - files and links below it that the set does not name are removed,
          at any depth. Directories stay.
        type: bool
        default: false
  commands:
    description: Commands that put files into effect which no unit reads. Run again when files are put back. No shell.
    type: list
    elements: str
    default: []
  validate:
    description: >-
      Commands that must accept the whole set. They run with all files in place and before any unit is touched, because
      such checkers know real paths only. No shell.
    type: list
    elements: str
    default: []
  units:
    description: systemd units that use the files. Each one always ends running, unless its action is V(stop).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The unit; without a suffix it is a service.
        type: str
        required: true
      action:
        description: >-
          What a changed file means to the running unit. V(start) does nothing to a running one. V(stop) is for a unit
          that is not to run any more; it ends stopped and not enabled, and one that does not exist is so already.
        type: str
        choices: [restart, reload, start, stop]
        default: restart
      enabled:
        description: Whether it has to start at boot. When V(false), that is left as it is.
        type: bool
        default: true
      effect:
        description: >-
          For a unit whose being active says little - a program and arguments, no shell, that succeed as long as what it
          is for holds. When they fail, the unit's O(units[].action) is due, and what they printed is told. Where the
          action alone does not mend it, name the same program in O(validate), so that the run fails with its words.
        type: list
        elements: str
  probe:
    description: What must succeed after the units were acted on.
    type: dict
    suboptions:
      command:
        description: Program and arguments. No shell.
        type: list
        elements: str
        required: true
      timeout_s:
        description: For how many seconds it is tried again.
        type: float
        default: 30
      stdin:
        description: What it reads; treated as a secret.
        type: str
  rollback_after_s:
    description: >-
      For what may cut the connection - seconds after which the host puts everything back by itself. The task confirms
      over a new connection; where that fails the task fails and the host returns to the old configuration. A restart of
      the host starts the time anew.
    type: int
  payload:
    description: For the action plugin only. Secret and binary contents, encoded.
    type: str
  commit:
    description: For the action plugin only. Confirms the pending change of this token.
    type: str
"""

EXAMPLES = r"""
- name: Configure Redis
  retailerp.estate.config_set:
    name: redis
    files:
      - {path: /etc/redis/redis.conf, template: redis.conf.j2, group: redis, mode: "0640"}
      - {path: /etc/redis/users.acl, template: users.acl.j2, group: redis, mode: "0640", secret: true}
    units:
      - {name: redis-server, action: restart}
    probe:
      command: [systemctl, is-active, --quiet, redis-server]
      timeout_s: 20

- name: Harden SSH without locking anyone out
  retailerp.estate.config_set:
    name: ssh
    files:
      - {path: /etc/ssh/sshd_config.d/00-estate.conf, template: sshd.conf.j2, mode: "0600"}
    validate:
      - sshd -t
    units:
      - {name: ssh, action: reload}
    rollback_after_s: 60
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {resource: file /etc/redis/redis.conf, action: update, before: "port 0\n", after: "port 6379\n"}
    - {resource: unit redis-server.service, action: restart, before: null, after: "restarted: files changed"}
controls:
  description: What must hold, and whether it does.
  returned: success
  type: list
  elements: dict
  sample:
    - id: config.redis.files
      title: Every file of redis is as planned
      state: pass
      observed: []
      expected: []
      reason: ""
pending:
  description: The token to confirm with, while the host is armed to put everything back.
  returned: when O(rollback_after_s) is given
  type: str
  sample: 5f2b0c7e2f6a4f0f9d6d2a8f3f1f6c11
rolled_back:
  description: Whether the old configuration is back.
  returned: failure after a change was begun
  type: bool
  sample: true
"""

import uuid

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.host.config_set import ConfigSet
from ansible_collections.retailerp.estate.plugins.module_utils.host.journal import Journal
from ansible_collections.retailerp.estate.plugins.module_utils.host.options import config_spec
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["file", "directory", "link", "absent"], "default": "file"},
            "template": {"type": "str"},
            "source": {"type": "str"},
            "content": {"type": "str"},
            "target": {"type": "str"},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "mode": {"type": "str"},
            "secret": {"type": "bool", "default": False, "no_log": False},
            "validate": {"type": "str"},
            "exclusive": {"type": "bool", "default": False},
        },
    },
    "commands": {"type": "list", "elements": "str", "default": []},
    "validate": {"type": "list", "elements": "str", "default": []},
    "units": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "action": {"type": "str", "choices": ["restart", "reload", "start", "stop"], "default": "restart"},
            "enabled": {"type": "bool", "default": True},
            "effect": {"type": "list", "elements": "str"},
        },
    },
    "probe": {
        "type": "dict",
        "options": {
            "command": {"type": "list", "elements": "str", "required": True},
            "timeout_s": {"type": "float", "default": 30},
            "stdin": {"type": "str", "no_log": True},
        },
    },
    "rollback_after_s": {"type": "int"},
    "payload": {"type": "str", "no_log": True},
    "commit": {"type": "str"},
}


def main() -> None:
    """Converge the set, or confirm a pending one."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    system = System()
    journal = Journal(system, module.params["name"])
    token = uuid.uuid4().hex if module.params["rollback_after_s"] else None
    try:
        spec = config_spec(module.params, token)
        capability = ConfigSet(spec, system, journal, module.check_mode)
        if module.params["commit"]:
            capability.commit(module.params["commit"])
            module.exit_json(changed=True)
    except EstateError as err:
        module.fail_json(msg=str(err), **err.details)
    run(module, capability, **({"pending": token} if token else {}))


if __name__ == "__main__":
    main()
