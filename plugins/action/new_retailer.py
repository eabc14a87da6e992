# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scaffold the inventory of a new retailer on the controller: all of it, or nothing and every reason why."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import available_timezones

from ansible.plugins.action import ActionBase

from ansible_collections.retailerp.estate.plugins.module_utils.estate import scaffold
from ansible_collections.retailerp.estate.plugins.module_utils.estate.plan import problems
from ansible_collections.retailerp.estate.plugins.module_utils.estate.schema import UNREADABLE
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.plugin_utils import specification, vault

SECRET = "entra_client_secret"  # noqa: S105  (the name of an option)
SECRET_HINT = "give it in the environment as ENTRA_CLIENT_SECRET, so that it stands in no command line"


class ActionModule(ActionBase):
    """Writes inventories/<id>/ below a directory. Connects to no host."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset(("directory", SECRET, *scaffold.REQUIRED, *scaffold.OPTIONAL))

    def run(self, tmp=None, task_vars=None):
        """Return the files written, or fail with all problems before anything is written."""
        result = super().run(tmp, task_vars)
        values = {name: value for name, value in self._task.args.items() if value not in (None, "")}
        try:
            lines, home, texts, secrets = self._judge(values)
            if lines:
                raise EstateError("nothing was written:\n" + "\n".join(lines))
            written = self._write(home, texts, secrets)
        except EstateError as err:
            return {**result, "failed": True, "msg": str(err)}
        except OSError as err:
            return {**result, "failed": True, "msg": f"{err.filename}: cannot be used: {err.strerror}"}
        diff = [{"after_header": str(path), "before": "", "after": text} for path, text in written.items()]
        return {**result, "changed": bool(written), "directory": str(home), "files": [*map(str, written)], "diff": diff}

    def _judge(self, values):
        """(reasons to write nothing, directory, path → text, vault file)."""
        missing = [name for name in scaffold.REQUIRED if name not in values]
        lines = [f"{name}: is missing; add -e {name}=…" for name in missing]
        keeper = secrets = None
        try:
            keeper = vault.Keeper(self._loader)
        except EstateError as err:
            lines.append(str(err))
        root, name = Path(str(values.get("directory", "inventories"))).expanduser().resolve(), scaffold.name_of(values)
        home = root / (name or "new")
        path = home / "group_vars" / "all" / "vault.yml"
        lines += _not_to_be_made(path.parent)
        texts = {} if missing else {home / file: text for file, text in scaffold.files(values).items()}
        for file, text in texts.items():
            if file.exists() and file.read_text(encoding="utf-8") != text:
                lines.append(f"{file}: is there and says something else; it is left as it is")
        known = {SECRET: values[SECRET]} if SECRET in values else {}
        if keeper and name:
            try:
                secrets = vault.VaultFile(path, keeper, name, {SECRET: str(values.get(SECRET, ""))})
                known = {**dict.fromkeys(secrets.kept, UNREADABLE), **secrets.created}
            except EstateError as err:
                lines.append(f"{err}; {SECRET_HINT}" if SECRET in str(err) else str(err))
        elif not known and not path.exists():
            lines.append(f"{SECRET}: is missing; {SECRET_HINT}")
        lines += self._refusals(values, home, known)
        return lines, home, texts, secrets

    @staticmethod
    def _refusals(values, home, secrets):
        """What the plan will refuse, so that an inventory that is written is one that can be planned."""
        host = {"groups": ["edge", "app", "db", "cache"], **scaffold.host_variables(values)}
        options = specification.options()
        known_to_us = {"neighbours": specification.neighbours([home]), "time_zones": available_timezones()}
        spec, found = specification.with_ca_file(scaffold.specification(values), [home])
        known = {name: secrets.get(name, UNREADABLE) for name in options["estate_secrets"]["options"]}
        hosts = {scaffold.host_name(values): host}
        found += problems(spec, hosts, known, options, **known_to_us)
        return [str(problem) for problem in scaffold.refusals(found, values)]

    def _write(self, home, texts, secrets):
        """Write what is not there yet; the vault first, for without it the rest is of no use. Path → text shown."""
        written = {}
        if secrets.created:
            written[secrets.path] = "".join(f"{name}: (secret)\n" for name in secrets.created)
        written.update({path: text for path, text in texts.items() if not path.exists()})
        if not self._task.check_mode:
            if secrets.created:
                secrets.store()
            for path, text in texts.items():
                if path in written:
                    vault.store(path, text, mode=0o644)
        return written


def _not_to_be_made(directory):
    """Why a directory cannot be made, as a list of one line or none."""
    there = next(path for path in (directory, *directory.parents) if path.exists())
    if not there.is_dir():
        return [f"directory: {directory} cannot be made, {there} is not a directory"]
    if not os.access(there, os.W_OK | os.X_OK):
        return [f"directory: {directory} cannot be made, nothing may be written in {there}"]
    return []
