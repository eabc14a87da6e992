# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of tls_certificate: signs the host's public key, keeps the authority's key here."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.retailerp.estate.plugins.module_utils.host.signing import issue
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

MODULE = "retailerp.estate.tls_certificate"


class ActionModule(ActionBase):
    """See the module's documentation."""

    def run(self, tmp: Any = None, task_vars: dict | None = None) -> dict:
        """Ask the host what it needs; when it offers a public key, sign it and let the host install the certificate."""
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        ca_private_key = args.pop("ca_private_key", None)
        answer = self._execute_module(MODULE, module_args=args, task_vars=task_vars)
        public_key = answer.pop("public_key", None)
        if public_key and not answer.get("failed"):
            if not ca_private_key:
                raise AnsibleActionFail(
                    f"{args.get('name')}: a certificate has to be issued, and ca_private_key is not given"
                )
            try:
                signed = issue(public_key, list(args["names"]), args["ca_certificate"], ca_private_key)
            except EstateError as err:
                raise AnsibleActionFail(f"{args['name']}: {err}") from err
            answer = self._execute_module(MODULE, module_args={**args, "certificate": signed}, task_vars=task_vars)
        result.update(answer)
        return result
