# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an estate's secrets, keep them in its vault file on the controller, rotate them. Connects to no host."""

from __future__ import annotations

from pathlib import Path

from ansible.plugins.action import ActionBase

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.plugin_utils import vault
from ansible_collections.retailerp.estate.plugins.plugin_utils.vault_next import Generations


class ActionModule(ActionBase):
    """Runs on the controller, where the vault passwords of the run are."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp=None, task_vars=None):
        """Return which secrets were created, kept or adopted, by name."""
        result = super().run(tmp, task_vars)
        _unused, args = self.validate_argument_spec(
            {
                "path": {"type": "path", "required": True},
                "id": {"type": "str", "required": True},
                "given": {"type": "dict", "default": {}, "no_log": True},
                "generation": {"type": "str", "choices": ["current", "next", "adopted"], "default": "current"},
                "names": {"type": "list", "elements": "str", "default": []},
                "vault_password_file": {"type": "path", "no_log": False},
                "vault_id": {"type": "str"},
            }
        )
        path = Path(args["path"]).expanduser().resolve()
        try:
            keeper = vault.Keeper(self._loader, args["vault_password_file"], args["vault_id"])
            done = getattr(self, f"_{args['generation']}")(path, keeper, args)
        except EstateError as err:
            return {**result, "failed": True, "msg": str(err)}
        diff = {"before_header": str(path), "after_header": str(path), **done.pop("diff")}
        return {**result, "changed": diff["before"] != diff["after"], "path": str(path), **done, "diff": diff}

    def _current(self, path, keeper, args):
        """Make what the file lacks."""
        given = {str(name): str(value) for name, value in args["given"].items()}
        file = vault.VaultFile(path, keeper, args["id"], given)
        if file.created and not self._task.check_mode:
            file.store()
        created, kept = list(file.created), file.kept
        diff = {"before": vault_names(kept), "after": vault_names(kept + created)}
        return {"created": created, "kept": kept, "adopted": [], "diff": diff}

    def _next(self, path, keeper, args):
        """Make the next generation, unless there is one."""
        file = Generations(path, keeper)
        created, kept = file.lacking(args["names"]), file.next
        if created and not self._task.check_mode:
            file.make(created)
        diff = {"before": vault_names(kept, NEXT), "after": vault_names(kept + created, NEXT)}
        return {"created": created, "kept": kept, "adopted": [], "diff": diff}

    def _adopted(self, path, keeper, args):
        """Put the next generation in the current one's place, if there is one."""
        file = Generations(path, keeper)
        if file.next and not self._task.check_mode:
            file.adopt()
        diff = {"before": vault_names(file.next, NEXT), "after": vault_names(file.next, "new value of ")}
        return {"created": [], "kept": [], "adopted": file.next, "diff": diff}


NEXT = "next value of "


def vault_names(names, what=""):
    """Names of secrets as the text of a diff; never a value."""
    return "".join(f"{what}{name}: (secret)\n" for name in sorted(names))
