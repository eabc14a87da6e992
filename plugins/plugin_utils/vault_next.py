# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The next generation of passwords in a vault file: made beside the current one, then adopted. Controller only."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.retailerp.estate.plugins.module_utils.estate import vault_file
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.plugin_utils import specification, vault


class Generations:
    """The current and the next generation in the vault file at `path`. Reads only; `make` and `adopt` write.

    next: names that have a next value, in the file's order.
    """

    def __init__(self, path, keeper):
        self.path, self._keeper = Path(path), keeper
        self._text, self._current = vault.read(self.path)
        self._next = vault.read(self.path, vault_file.NEXT)[1]
        vault.check_locked(self.path, keeper, self._current)
        vault.check_locked(self.path, keeper, self._next, f"{vault_file.NEXT}.")
        self.next = list(self._next)
        self._refuse(self.next)

    def _refuse(self, names):
        """Refuse what cannot have a second value, and what has no first one in this file."""
        rotated = list(specification.options()[vault_file.NEXT]["options"])
        for name in names:
            if name not in rotated:
                raise EstateError(f"{name} is not one of the secrets that are rotated: {', '.join(rotated)}")
            if name not in self._current:
                raise EstateError(f"{self.path}: {vault_file.KEY} has no {name}; is this the estate's vault file?")

    def lacking(self, names):
        """Those of these names that have no next value yet; without names, of all that are rotated.

        A generation that is there is kept as it is: servers may know its passwords, and no name joins it halfway.
        """
        wanted = list(names or specification.options()[vault_file.NEXT]["options"])
        self._refuse(wanted)
        return [] if self.next else wanted

    def make(self, names):
        """Add a next value for each of these names."""
        sealed = {name: self._keeper.seal(vault.password()) for name in names}
        self._store(vault_file.added, sealed, vault_file.NEXT)

    def adopt(self):
        """The next generation becomes the current one, and there is no next one, in one write of the file."""
        self._store(vault_file.adopted, self._next)
        self._current = {**self._current, **self._next}

    def _store(self, change, values, *more):
        try:
            text = change(self._text, values, *more)
            # Text work that went wrong would lose passwords that servers have already: what was written is read first.
            self._check_text(text, change is vault_file.adopted, values)
        except vault_file.VaultFileError as err:
            raise EstateError(f"{self.path}: {err}") from err
        vault.store(self.path, text)

    def _check_text(self, text, adopting, values):
        current = {**self._current, **values} if adopting else self._current
        coming = {} if adopting else {**self._next, **values}
        if not _same(vault.parsed(text), current) or not _same(vault.parsed(text, vault_file.NEXT), coming):
            raise vault_file.VaultFileError("cannot be changed without harm; write each value as `name: !vault |`")


def _same(found, expected):
    """Whether two mappings hold the same vault texts, whatever blanks and line ends they stand with."""
    return {name: value.split() for name, value in found.items()} == {
        name: value.split() for name, value in expected.items()
    }
