# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Template an operator's variables leaf by leaf, so that one locked or undefined value does not hide the others."""

from __future__ import annotations

from collections.abc import Mapping

from ansible.errors import AnsibleError
from ansible.parsing.vault import AnsibleVaultError

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem
from ansible_collections.retailerp.estate.plugins.module_utils.estate.schema import UNREADABLE

LOCKED = "is locked; give the vault password that opens it (--vault-password-file)"


class Resolver:
    """Collects a Problem for each value that cannot be read and puts UNREADABLE in its place."""

    def __init__(self, templar):
        self._templar = templar
        self.problems = []

    def read(self, value, path):
        """The value with every template and vault text in it resolved."""
        if isinstance(value, Mapping):
            return {str(key): self.read(item, f"{path}.{key}") for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.read(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return self._guarded(lambda: self._templar.template(value), path)

    def host_value(self, hostvars, name, key):
        """One variable of one host, or None."""
        value = self._guarded(lambda: hostvars[name].get(key), f"hosts.{name}.{key}")
        return None if value is UNREADABLE else value

    def _guarded(self, resolve, path):
        try:
            return _plain(resolve())
        except AnsibleError as err:
            self.problems.append(Problem(path, LOCKED if _of_vault(err) else f"cannot be resolved: {_reason(err)}"))
        return UNREADABLE


def _plain(value):
    """Ansible's tagged and lazily decrypted values as plain ones; decryption happens, and may fail, here."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        # A number of Ansible is of a class of Ansible's, whose name would stand in messages.
        return int(value) if isinstance(value, int) else float(value)
    return str(value)


def _of_vault(err):
    """Whether a locked vault is at the bottom of an error. Templating has a private class for it, known by name."""
    while err is not None:
        if isinstance(err, AnsibleVaultError) or type(err).__name__ == "UndecryptableVaultError":
            return True
        err = err.__cause__ or err.__context__
    return False


def _reason(err):
    """The innermost reason of an error, on one line and without the template's text."""
    while err.__cause__ is not None:
        err = err.__cause__
    if isinstance(err, RecursionError):
        return "it refers to itself"
    return str(err).strip().splitlines()[0][:160] if str(err).strip() else type(err).__name__
