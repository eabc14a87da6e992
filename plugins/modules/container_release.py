#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converge all containers of one release together."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_release
short_description: Converge all containers of one release together
version_added: 0.1.0
description:
  - Runs the containers of a release, and nothing else of its name, on this host's Docker engine.
  - Images are fetched by digest before anything is touched. The new release is started in the free one of two slots and
    must become healthy before the old one is stopped and removed. When it does not, it is removed itself.
  - With one slot the old release is stopped while the new one starts, and started again when the new one fails.
  - Every container has no capabilities, cannot gain privileges, has a read-only root, an init process, limits of memory
    and processes, and is started again by the engine unless it was stopped.
  - Containers that were stopped, removed, exchanged or given other limits are found and repaired. What a killed run
    left is completed or removed by the next.
options:
  name:
    description: The name of all releases that follow each other, for example C(shop-odoo). Containers are called
      C(<name>-<container>-<slot>).
    type: str
    required: true
  release:
    description: The identity of image and configuration, 8 to 64 hexadecimal digits. Another one is another release.
    type: str
    required: true
  network:
    description: The bridge network of the containers. It is made where it is missing and never removed.
    type: dict
    required: true
    suboptions:
      name: {description: "Its name.", type: str, required: true}
      subnet: {description: "Its subnet.", type: str, required: true}
  state:
    description: V(stopped) stops whatever runs of this name, and changes nothing else. V(started) starts it again.
    type: str
    choices: [started, stopped]
    default: started
  slots:
    description: 2 when two releases can serve side by side on ports of their own, 1 when they share their ports.
    type: int
    choices: [1, 2]
    default: 2
  overlap_s:
    description: Seconds both releases serve before the old one takes no new connections, so that a proxy notices the
      new one; at least the interval of its health check. Only with two slots.
    type: int
    default: 0
  drain_s:
    description: Seconds the old release lives, without new connections, before it is stopped; at least the interval of
      the proxy's health check. Only with two slots, on a host with the firewall of
      P(retailerp.estate.docker_host#role).
    type: int
    default: 0
  config_root:
    description: A directory with one directory for each release, named like O(release). Those of releases that are
      neither this one nor the newest other one are removed after success.
    type: path
  containers:
    description: The containers of the release. They are started together and waited for in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: "Its name within the release.", type: str, required: true}
      image: {description: "The image, pinned by digest (C(registry/name@sha256:…)).", type: str, required: true}
      user: {description: "User or C(user:group) by number or name; never root.", type: str, required: true}
      command: {description: "Arguments, or the image's own when empty.", type: list, elements: str, default: []}
      memory_mb: {description: "Limit of memory in MiB; there is no swap beyond it.", type: int, required: true}
      cpus: {description: "Limit of processors.", type: float}
      pids_limit: {description: "Limit of processes and threads.", type: int, default: 512}
      stop_timeout_s: {description: "Seconds to end by itself before it is killed.", type: int, default: 30}
      environment:
        description: Environment variables. B(Never a secret) - C(docker inspect) shows them; mount a file for those.
        type: dict
        default: {}
      extra_hosts: {description: "Names and their addresses for C(/etc/hosts).", type: dict, default: {}}
      tmpfs:
        description: Directories in memory and their mount options, for example C({"/tmp":"size=64m"}).
        type: dict
        default: {}
      mounts:
        description: Files, directories and volumes of the host.
        type: list
        elements: dict
        default: []
        suboptions:
          type: {description: "What it is.", type: str, choices: [bind, volume], default: bind}
          source: {description: "A path that exists on the host, or the name of a volume.", type: str, required: true}
          target: {description: "Where the container sees it.", type: str, required: true}
          read_only: {description: "Whether the container may only read it.", type: bool, default: true}
      ports:
        description: Published ports, for each slot. With one slot only V(a) is used.
        type: list
        elements: dict
        default: []
        suboptions:
          slot: {description: "The slot.", type: str, choices: [a, b], default: a}
          address: {description: "The address of the host to listen on.", type: str, required: true}
          port: {description: "The port of the host.", type: int, required: true}
          container_port: {description: "The port of the container.", type: int, required: true}
      health:
        description: How this host asks whether the container works. Either O(containers[].health.http) or
          O(containers[].health.command).
        type: dict
        required: true
        suboptions:
          http:
            description: A page on a published port.
            type: dict
            suboptions:
              port: {description: "The port of the container.", type: int, required: true}
              path: {description: "The path.", type: str, default: /}
              host: {description: "The Host header; the address when left out.", type: str}
              status: {description: "The status expected.", type: int, default: 200}
          command: {description: "A command in the container that returns 0.", type: list, elements: str}
          timeout_s: {description: "Seconds it may take to become healthy.", type: int, default: 120}
          interval_s: {description: "Seconds between two questions.", type: int, default: 2}
requirements:
  - python3-docker 5.0 or later and a Docker engine on the host. Both may be missing in check mode.
extends_documentation_fragment: retailerp.estate.attributes
author: The retailerp.estate authors (@retailerp)
"""

EXAMPLES = r"""
- name: Run the web container of Odoo, the next release beside the present one
  retailerp.estate.container_release:
    name: shop-odoo
    release: 4f9d1c0a52e37b88
    network: {name: estate, subnet: 172.30.1.0/24}
    overlap_s: 12
    drain_s: 6
    config_root: /etc/estate/odoo
    containers:
      - name: web
        image: registry.example.com/odoo@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
        user: "101:101"
        command: [odoo, -c, /etc/odoo/odoo.conf]
        memory_mb: 2048
        ports:
          - {slot: a, address: 10.0.0.21, port: 8069, container_port: 8069}
          - {slot: b, address: 10.0.0.21, port: 8169, container_port: 8069}
        mounts:
          - {source: /etc/estate/odoo/4f9d1c0a52e37b88/odoo.conf, target: /etc/odoo/odoo.conf}
          - {type: volume, source: shop-odoo-data, target: /var/lib/odoo, read_only: false}
        tmpfs: {/tmp: "size=256m"}
        health: {http: {port: 8069, path: /web/health, host: shop.example.com}, timeout_s: 180}
"""

RETURN = r"""
serving:
  description: What serves after the run; in check mode, what serves now. C(release) is null where nothing does.
  type: dict
  returned: success
  sample:
    release: 4f9d1c0a52e37b88
    slot: b
    containers: [{name: shop-odoo-web-b, image: "registry.example.com/odoo@sha256:9f86…", healthy: true}]
changes:
  description: What was, or in check mode would be, changed.
  type: list
  elements: dict
  returned: always
  sample: [{resource: container shop-odoo-web-a, action: start, before: stopped, after: running}]
controls:
  description: What must hold for each container, and whether it does.
  type: list
  elements: dict
  returned: success
  sample:
    - id: containers.shop-odoo.web.capabilities
      title: shop-odoo-web-b has no capabilities
      state: pass
      observed: {add: [], drop: [ALL]}
      expected: {add: [], drop: [ALL]}
      reason: ""
container:
  description: The container that did not become healthy.
  type: str
  returned: failure of a container
  sample: shop-odoo-web-b
log:
  description: The last lines that container wrote.
  type: list
  elements: str
  returned: failure of a container
  sample: ["FATAL: database \"shop\" does not exist"]
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.retailerp.estate.plugins.module_utils import runner
from ansible_collections.retailerp.estate.plugins.module_utils.docker import client
from ansible_collections.retailerp.estate.plugins.module_utils.docker.firewall import Firewall
from ansible_collections.retailerp.estate.plugins.module_utils.docker.model import release_from
from ansible_collections.retailerp.estate.plugins.module_utils.docker.release import ContainerRelease
from ansible_collections.retailerp.estate.plugins.module_utils.docker.stop import StoppedRelease
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

STR = {"type": "str"}
INT = {"type": "int"}
MUST_STR = {**STR, "required": True}
MUST_INT = {**INT, "required": True}

HEALTH = {
    "http": {
        "type": "dict",
        "options": {
            "port": MUST_INT,
            "path": {**STR, "default": "/"},
            "host": STR,
            "status": {**INT, "default": 200},
        },
    },
    "command": {"type": "list", "elements": "str"},
    "timeout_s": {**INT, "default": 120},
    "interval_s": {**INT, "default": 2},
}
MOUNT = {
    "type": {"type": "str", "choices": ["bind", "volume"], "default": "bind"},
    "source": MUST_STR,
    "target": MUST_STR,
    "read_only": {"type": "bool", "default": True},
}
PORT = {
    "slot": {"type": "str", "choices": ["a", "b"], "default": "a"},
    "address": MUST_STR,
    "port": MUST_INT,
    "container_port": MUST_INT,
}
CONTAINER = {
    "name": MUST_STR,
    "image": MUST_STR,
    "user": MUST_STR,
    "command": {"type": "list", "elements": "str", "default": []},
    "memory_mb": MUST_INT,
    "cpus": {"type": "float"},
    "pids_limit": {**INT, "default": 512},
    "stop_timeout_s": {**INT, "default": 30},
    "environment": {"type": "dict", "default": {}},
    "extra_hosts": {"type": "dict", "default": {}},
    "tmpfs": {"type": "dict", "default": {}},
    "mounts": {"type": "list", "elements": "dict", "default": [], "options": MOUNT},
    "ports": {"type": "list", "elements": "dict", "default": [], "options": PORT},
    "health": {"type": "dict", "required": True, "options": HEALTH},
}
ARGUMENTS = {
    "name": MUST_STR,
    "release": MUST_STR,
    "network": {"type": "dict", "required": True, "options": {"name": MUST_STR, "subnet": MUST_STR}},
    "state": {**STR, "choices": ["started", "stopped"], "default": "started"},
    "slots": {**INT, "choices": [1, 2], "default": 2},
    "overlap_s": {**INT, "default": 0},
    "drain_s": {**INT, "default": 0},
    "config_root": {"type": "path"},
    "containers": {"type": "list", "elements": "dict", "required": True, "options": CONTAINER},
}


def main() -> None:
    """Read the options and leave the rest to the runner."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if client.IMPORT_ERROR and not module.check_mode:
        module.fail_json(msg=missing_required_lib("docker"), exception=client.IMPORT_ERROR)
    options = dict(module.params)
    state = options.pop("state")
    try:
        release = release_from(options)
    except EstateError as err:
        module.fail_json(msg=str(err), **err.details)
    if state == "stopped":
        capability = StoppedRelease(release, client.Engine())
    else:
        capability = ContainerRelease(release, client.Engine(), Firewall(System()))
    runner.run(module, capability, lock=f"container_release-{release.name}", serving=capability.serving)


if __name__ == "__main__":
    main()
