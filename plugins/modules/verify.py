#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin verify, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Fail where the host is not as the plan wants it
version_added: 0.1.0
description:
  - Takes the registered results of tasks that ran in check mode and judges them. Touches no host.
  - Fails with a line for each control that does not hold and for each change that would be made.
  - Skipped results are not judged. Results of other collections' modules are judged by C(changed) and C(failed).
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
options:
  results:
    description: >-
      Registered results, as a list, or as a mapping that gives each one the name under which it is reported.
      Results of loops are taken apart.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Look at the configuration of Redis
  retailerp.estate.config_set:
    name: redis
    files:
      - {path: /etc/redis/redis.conf, template: redis.conf.j2}
  check_mode: true
  register: redis_configuration

- name: Fail unless it holds
  retailerp.estate.verify:
    results:
      redis: "{{ redis_configuration }}"
"""

RETURN = r"""
controls:
  description: Every control that was judged, whatever its state.
  returned: always
  type: list
  elements: dict
  sample:
    - id: config.redis.files
      title: Every file of redis is as planned
      state: pass
      observed: []
      expected: []
      reason: ""
findings:
  description: What does not hold, a line each.
  returned: always
  type: list
  elements: str
  sample: ["redis: would update file /etc/redis/redis.conf"]
"""
