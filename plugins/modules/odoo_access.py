#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converges who may sign in to one Odoo database and with what rights."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_access
short_description: Sign-in by Microsoft Entra and the roles it confers in Odoo
version_added: 0.1.0
description:
  - Sets up one OpenID Connect provider, bound to a single tenant, and makes it the only open one.
  - Makes each business role a role of Odoo with exactly its groups, conferred by one app role of Entra.
  - Closes Odoo's own sign-up and password reset.
  - Needs Odoo's module C(estate_auth_entra), which this collection ships in its role C(odoo).
  - Works through Odoo's external interface, and is run on the application host.
extends_documentation_fragment:
  - retailerp.estate.attributes
attributes:
  check_mode:
    details: An Odoo that does not answer or lacks the module counts as still to be set up.
author:
  - The retailerp.estate authors (@retailerp)
options:
  urls:
    description: Base addresses of Odoo, without TLS, on this host. The first that answers is used.
    type: list
    elements: str
    required: true
  series:
    description: Series of Odoo. XML-RPC is spoken to C(18.0), JSON-2 from C(19.0).
    type: str
    required: true
  database:
    description: Name of the database.
    type: str
    required: true
  login:
    description: Login of an administrator.
    type: str
    default: admin
  password:
    description: The administrator's password, from series C(19.0) on an API key.
    type: str
    required: true
  oidc:
    description: The tenant's OpenID Connect provider.
    type: dict
    required: true
    suboptions:
      tenant_id:
        description: Directory ID of the one tenant whose people may sign in.
        type: str
        required: true
      client_id:
        description: Application ID of the registration; the only accepted audience.
        type: str
        required: true
      client_secret:
        description: Secret of the registration. Only whether it differs is reported.
        type: str
        required: true
      issuer:
        description: The only accepted issuer, the tenant's own.
        type: str
        required: true
      authorize:
        description: Authorization endpoint.
        type: str
        required: true
      token:
        description: Token endpoint.
        type: str
        required: true
      jwks:
        description: Address of the signing keys.
        type: str
        required: true
      redirect:
        description: Redirect address as registered, C(https://<domain>/auth_oauth/signin).
        type: str
        required: true
      authority:
        description: Base address of the authority the endpoints were derived from. Informative.
        type: str
  roles:
    description:
      - The business roles. A role that an earlier run made and that is not listed any more is removed, and with it
        the rights of its holders. Roles made otherwise are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the role.
        type: str
        required: true
      app_role:
        description: Value of the app role in Entra that confers the role. No two roles share one.
        type: str
        required: true
      groups:
        description: External IDs of the groups of Odoo the role consists of.
        type: list
        elements: str
        required: true
seealso:
  - module: retailerp.estate.odoo_modules
"""

EXAMPLES = r"""
- name: Let the tenant's people sign in
  retailerp.estate.odoo_access:
    urls: ["http://10.77.0.21:8069", "http://10.77.0.21:8169"]
    series: "14.0"
    database: shop
    password: "{{ estate_secrets.odoo_administrator }}"
    oidc:
      tenant_id: 11111111-2222-3333-4444-555555555555
      client_id: aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee
      client_secret: "{{ estate_secrets.entra_client_secret }}"
      issuer: https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0
      authorize: https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/oauth2/v2.0/authorize
      token: https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token
      jwks: https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/discovery/v2.0/keys
      redirect: https://shop.example.org/auth_oauth/signin
    roles:
      - name: warehouse
        app_role: Warehouse.Staff
        groups: [base.group_user, stock.group_stock_user]
"""

RETURN = r"""
changes:
  description: What was changed, or in check mode would be, in order.
  returned: always
  type: list
  elements: dict
  sample:
    - resource: role warehouse
      action: create
      before: null
      after: "name: warehouse\napp_role: Warehouse.Staff\ngroups:\n  - base.group_user\n  - stock.group_stock_user\n"
controls:
  description: What must hold of sign-in and rights, and whether it does.
  returned: success
  type: list
  elements: dict
  sample:
    - id: odoo.access.other_providers
      title: No other sign-in provider is open
      state: pass
      observed: []
      expected: []
      reason: ""
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.retailerp.estate.plugins.module_utils.odoo.access import Desired, Role
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.access_store import Access
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.client import connect
from ansible_collections.retailerp.estate.plugins.module_utils.runner import run


def _text(**more):
    return {"type": "str", "required": True, **more}


ARGUMENTS = {
    "urls": {"type": "list", "elements": "str", "required": True},
    "series": _text(),
    "database": _text(),
    "login": {"type": "str", "default": "admin"},
    "password": _text(no_log=True),
    "oidc": {
        "type": "dict",
        "required": True,
        "options": {
            "tenant_id": _text(),
            "client_id": _text(),
            "client_secret": _text(no_log=True),
            "issuer": _text(),
            "authorize": _text(),
            # An address, not a token.
            "token": _text(no_log=False),
            "jwks": _text(),
            "redirect": _text(),
            "authority": {"type": "str"},
        },
    },
    "roles": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": _text(),
            "app_role": _text(),
            "groups": {"type": "list", "elements": "str", "required": True},
        },
    },
}


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options = module.params
    roles = tuple(Role(role["name"], role["app_role"], tuple(role["groups"])) for role in options["roles"])
    where = {name: options[name] for name in ("database", "login", "password", "series")}
    run(
        module,
        Access(
            Desired(options["oidc"], roles),
            connect=lambda: connect(options["urls"], **where),
            bare_allowed=module.check_mode,
        ),
    )


if __name__ == "__main__":
    main()
