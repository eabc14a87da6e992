# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the secrets an estate lacks and keep them in its vault file on the controller. Connects to no host."""

from __future__ import annotations

from pathlib import Path

from ansible.plugins.action import ActionBase

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.plugin_utils import vault


class ActionModule(ActionBase):
    """Runs on the controller, where the vault passwords of the run are."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        """Return which secrets were created and which were kept, by name."""
        result = super().run(tmp, task_vars)
        _unused, args = self.validate_argument_spec(
            {
                "path": {"type": "path", "required": True},
                "id": {"type": "str", "required": True},
                "given": {"type": "dict", "default": {}, "no_log": True},
                "vault_password_file": {"type": "path", "no_log": False},
                "vault_id": {"type": "str"},
            }
        )
        path = Path(args["path"]).expanduser().resolve()
        given = {str(name): str(value) for name, value in args["given"].items()}
        try:
            keeper = vault.Keeper(self._loader, args["vault_password_file"], args["vault_id"])
            file = vault.VaultFile(path, keeper, args["id"], given)
            if file.created and not self._task.check_mode:
                file.store()
        except EstateError as err:
            return {**result, "failed": True, "msg": str(err)}
        created, kept = list(file.created), file.kept
        before, after = vault_names(kept), vault_names(kept + created)
        diff = {"before_header": str(path), "after_header": str(path), "before": before, "after": after}
        return {**result, "changed": bool(created), "path": str(path), "created": created, "kept": kept, "diff": diff}


def vault_names(names):
    """Names of secrets as the text of a diff; never a value."""
    return "".join(f"{name}: (secret)\n" for name in sorted(names))
