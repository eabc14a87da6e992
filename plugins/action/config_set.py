# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of config_set: renders the files, sends the set in one call, confirms over a new connection."""

from __future__ import annotations

import os
import time
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from ansible_collections.retailerp.estate.plugins.module_utils.host.options import STDIN, encode_payload

MODULE = "retailerp.estate.config_set"
SKIPPED = ("__pycache__", ".git", ".pytest_cache")


class ActionModule(ActionBase):
    """See the module's documentation."""

    def run(self, tmp: Any = None, task_vars: dict | None = None) -> dict:
        """Render, send, confirm."""
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        args = dict(self._task.args)
        payload: dict[str, bytes] = {}
        args["files"] = [
            entry for option in args.get("files") or [] for entry in self._entries(option, payload, task_vars)
        ]
        probe = dict(args.get("probe") or {})
        if probe.get("stdin") is not None:
            payload[STDIN] = str(probe.pop("stdin")).encode()
        if probe:
            args["probe"] = probe
        if payload:
            args["payload"] = encode_payload(payload)
        result.update(self._execute_module(MODULE, module_args=args, task_vars=task_vars))
        token = result.pop("pending", None)
        if token and result.get("changed") and not result.get("failed") and not self._task.check_mode:
            self._confirm(result, args, token, task_vars)
        return result

    def _entries(self, option: Any, payload: dict[str, bytes], task_vars: dict) -> list[dict]:
        """One file option as the module takes it; a directory as a source becomes an entry a file."""
        if not isinstance(option, dict) or not option.get("path"):
            raise AnsibleActionFail(f"each of files needs a path: {option!r}")
        entry = dict(option)
        given = [key for key in ("template", "source", "content") if entry.get(key) is not None]
        if len(given) > 1:
            raise AnsibleActionFail(f"{entry['path']}: give one of {', '.join(given)}")
        template, source = entry.pop("template", None), entry.pop("source", None)
        if source is not None:
            found = self._needle("files", source)
            if os.path.isdir(found):
                return [self._carry(dict(sub), payload, content) for sub, content in _tree(found, entry)]
            with open(found, "rb") as file:
                return [self._carry(entry, payload, file.read())]
        if template is not None:
            return [self._carry(entry, payload, self._render(template, task_vars).encode())]
        if "content" in entry:
            content = entry.pop("content")
            if not isinstance(content, str):
                raise AnsibleActionFail(
                    f"{entry['path']}: content is a {type(content).__name__}, not text; use to_nice_json"
                )
            return [self._carry(entry, payload, content.encode())]
        return [entry]

    @staticmethod
    def _carry(entry: dict, payload: dict[str, bytes], content: bytes | None) -> dict:
        """Put the content where it may travel: secrets and what is not text in the payload, the rest in the open."""
        if content is None:
            return entry
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = None
        if text is None or entry.get("secret"):
            payload[entry["path"]] = content
        else:
            entry["content"] = text
        return entry

    def _needle(self, kind: str, name: str) -> str:
        try:
            return self._find_needle(kind, name)
        except AnsibleError as err:
            raise AnsibleActionFail(str(err)) from err

    def _render(self, name: str, task_vars: dict) -> str:
        """The template's text, rendered with the task's variables; includes are looked up as usual."""
        found = self._needle("templates", name)
        text = trust_as_template(self._loader.get_text_file_contents(found))
        roots = [*task_vars.get("ansible_search_path", []), self._loader.get_basedir(), os.path.dirname(found)]
        search = [path for root in roots for path in (os.path.join(root, "templates"), root)]
        templar = self._templar.copy_with_new_env(searchpath=search, available_variables=task_vars)
        rendered = templar.template(
            text, escape_backslashes=False, overrides={"trim_blocks": True, "lstrip_blocks": False}
        )
        if not isinstance(rendered, str):
            raise AnsibleActionFail(f"template {name} gives a {type(rendered).__name__}, not text")
        return rendered

    def _confirm(self, result: dict, args: dict, token: str, task_vars: dict) -> None:
        """Keep the change, over a connection made after it: only a connection that works proves that one still can."""
        seconds = args["rollback_after_s"]
        try:
            # Closes the persistent master, so that the next call is a new TCP connection and a new login.
            self._connection.reset()
            time.sleep(1)
            kept = self._execute_module(
                MODULE, module_args={"name": args["name"], "commit": token}, task_vars=task_vars
            )
        except AnsibleConnectionFailure as err:
            kept = {"failed": True, "unreachable": True, "msg": str(err)}
        if kept.get("unreachable"):
            result.update(
                failed=True,
                msg=f"{args['name']}: no new connection after the change ({kept.get('msg', 'unreachable')}). "
                f"The host puts its old configuration back by itself within {seconds} s.",
            )
        elif kept.get("failed"):
            result.update(failed=True, msg=kept.get("msg"))


def _tree(root: str, entry: dict) -> list[tuple[dict, bytes | None]]:
    """Every directory (0755) and file (the entry's mode) under a source directory, as entries below the given path."""
    entries: list[tuple[dict, bytes | None]] = []
    rights = {key: entry[key] for key in ("owner", "group") if key in entry}
    for directory, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in SKIPPED)
        below = os.path.relpath(directory, root)
        place = entry["path"] if below == "." else f"{entry['path']}/{below}"
        entries.append(({"path": place, "state": "directory", **rights}, None))
        for name in sorted(files):
            if name.endswith(".pyc"):
                continue
            with open(os.path.join(directory, name), "rb") as file:
                entries.append(({**entry, "path": f"{place}/{name}"}, file.read()))
    return entries
