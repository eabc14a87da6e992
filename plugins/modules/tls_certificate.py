#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's TLS key and certificate, signed by the estate's own authority."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_certificate
short_description: Keep a TLS certificate of the estate's own authority on a host
version_added: 0.1.0
description:
  - The private key is made on the host and never leaves it. The authority's key never leaves the controller.
  - >-
    Issues a certificate for one year when there is none, when it ends within 90 days, when its names or the authority
    changed, or when it does not fit the key. Every issue comes with a new key.
  - Key, certificate and authority are replaced together, and put back if a unit does not take them.
  - The host needs the program C(openssl), the controller the Python package C(cryptography).
author:
  - The retailerp.estate authors (@retailerp)
extends_documentation_fragment:
  - retailerp.estate.attributes
options:
  name:
    description: Names the certificate on the host.
    type: str
    required: true
  directory:
    description: Where C(key.pem), C(cert.pem) and C(ca.pem) lie. Made if missing.
    type: path
    required: true
  names:
    description: DNS names and addresses the certificate is for. The first one is also its common name.
    type: list
    elements: str
    required: true
  owner:
    description: User name or number that owns the key.
    type: str
    default: root
  group:
    description: Group name or number of the key.
    type: str
    default: root
  mode:
    description: Octal mode of the key.
    type: str
    default: "0600"
  ca_certificate:
    description: The authority's certificate (PEM). More certificates may follow it; they are trusted, too.
    type: str
    required: true
  ca_private_key:
    description: The authority's unencrypted private key (PEM). Used on the controller only.
    type: str
  units:
    description: systemd units that use the certificate. Those that run are told when it changes; none is started.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The unit; without a suffix it is a service.
        type: str
        required: true
      action:
        description: How the unit takes a new certificate.
        type: str
        choices: [restart, reload]
        default: reload
  certificate:
    description: For the action plugin only. What it signed for the key the host had made.
    type: str
"""

EXAMPLES = r"""
- name: Give PostgreSQL its certificate
  retailerp.estate.tls_certificate:
    name: postgresql
    directory: /etc/estate/tls/postgresql
    names: [db1, 10.77.0.31]
    owner: postgres
    group: postgres
    ca_certificate: "{{ estate_secrets.ca_certificate }}"
    ca_private_key: "{{ estate_secrets.ca_private_key }}"
    units:
      - {name: postgresql, action: reload}
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode. Certificates are told by their names and their end.
  returned: always
  type: list
  elements: dict
  sample:
    - resource: certificate /etc/estate/tls/postgresql/cert.pem
      action: create
      before: null
      after: 10.77.0.31, db1; for 365 days, because there is none
controls:
  description: What must hold, and whether it does.
  returned: success
  type: list
  elements: dict
  sample:
    - id: tls.postgresql.certificate
      title: The certificate of postgresql is for its names, by the estate's authority, and not about to end
      state: pass
      observed: 10.77.0.31, db1; until Nov 22 00:00:00 2027 GMT
      expected: []
      reason: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.host.certificate import (
    Certificate,
    CertificateSpec,
    reasons_for_renewal,
)
from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import UnitSpec, unit_name
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str", "default": "0600"},
    "ca_certificate": {"type": "str", "required": True},
    "ca_private_key": {"type": "str", "no_log": True},
    "units": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "action": {"type": "str", "choices": ["restart", "reload"], "default": "reload"},
        },
    },
    "certificate": {"type": "str"},
}


def main() -> None:
    """Converge the certificate; ask the controller to sign when one has to be issued."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options = module.params
    wanted = CertificateSpec(
        name=options["name"],
        directory=options["directory"],
        names=options["names"],
        ca=options["ca_certificate"],
        owner=options["owner"],
        group=options["group"],
        mode=int(options["mode"], 8),
        units=[UnitSpec(unit_name(unit["name"]), unit["action"], enabled=False) for unit in options["units"]],
    )
    capability = Certificate(wanted, System(), module.check_mode, options["certificate"])
    try:
        if not module.check_mode and not options["certificate"] and reasons_for_renewal(wanted, capability.inspect()):
            module.exit_json(changed=False, public_key=capability.stage_key())
    except EstateError as err:
        module.fail_json(msg=str(err), **err.details)
    run(module, capability)


if __name__ == "__main__":
    main()
