# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties that all accounts of a host have together. Pure: no I/O, no Ansible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_model import Accounts, Person, Wanted

NO_LOGIN = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false")
LOCKED = ("!", "*")


@dataclass(frozen=True)
class Offence:
    """An account that lacks a property. mend: the command that gives it, where that decides nothing for its owner."""

    name: str
    observed: Any = None
    mend: list[str] = field(default_factory=list)


def _excepted(wanted: Wanted, accounts: Accounts) -> list[Person]:
    return [one for one in accounts.people if one.name not in wanted.get("except", [])]


def _service(one: Person, accounts: Accounts) -> bool:
    return 0 < one.uid < accounts.first_uid or one.uid == 65534


def only_root_is_root(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """Whoever has root's number is root."""
    return [Offence(one.name, one.uid) for one in accounts.people if one.uid == 0 and one.name != "root"]


def root_group_is_roots(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """No other account has root's group as its own, but those that Debian ships so."""
    return [Offence(one.name, one.gid) for one in _excepted(wanted, accounts) if one.gid == 0 and one.name != "root"]


def one_group_zero(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """Only the group root has the number 0."""
    return [Offence(name, number) for name, number, _members in accounts.groups if number == 0 and name != "root"]


def passwords_are_shadowed(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """No hash stands in a file that everybody may read."""
    return [Offence(one.name, "in /etc/passwd", ["pwconv"]) for one in accounts.people if one.placeholder != "x"]


def no_empty_password(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """Nobody signs in without a password: an account without one is locked, keys go on working."""
    empty = [one for one in accounts.people if one.placeholder == "x" and one.password == ""]
    return [Offence(one.name, "empty password", ["usermod", "--lock", one.name]) for one in empty]


def services_have_no_shell(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """An account of a service is no place to sign in to."""
    return [
        Offence(one.name, one.shell, ["usermod", "--shell", NO_LOGIN[0], one.name])
        for one in _excepted(wanted, accounts)
        if _service(one, accounts) and one.shell not in NO_LOGIN
    ]


def without_shell_is_locked(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """An account that nobody signs in to has no password to guess."""
    return [
        Offence(one.name, "has a password", ["usermod", "--lock", one.name])
        for one in _excepted(wanted, accounts)
        if one.shell in NO_LOGIN and one.password and not one.password.startswith(LOCKED)
    ]


def _more_than_once(values: Iterable[Any]) -> list[Offence]:
    return [Offence(str(value), f"{count} times") for value, count in Counter(values).items() if count > 1]


def unique_numbers(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """Two names with one number are one account with two histories. Of root's number another property tells."""
    return _more_than_once(one.uid for one in accounts.people if one.uid)


def unique_names(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """A name means one account."""
    return _more_than_once(one.name for one in accounts.people)


def unique_group_numbers(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """A number means one group. Of root's number another property tells."""
    return _more_than_once(number for _name, number, _members in accounts.groups if number)


def unique_group_names(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """A name means one group."""
    return _more_than_once(name for name, _number, _members in accounts.groups)


def groups_exist(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """A group that is made later would inherit the accounts that already have its number."""
    known = {number for _name, number, _members in accounts.groups}
    return [Offence(one.name, one.gid) for one in accounts.people if one.gid not in known]


def shadow_group_is_empty(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """Whoever is in the group shadow reads all hashes."""
    groups = {name: (number, members) for name, number, members in accounts.groups}
    number, members = groups.get("shadow", (None, []))
    own = [one.name for one in accounts.people if number is not None and one.gid == number]
    return [Offence(name, "in the group shadow") for name in [*members, *own]]


def password_changed_in_the_past(wanted: Wanted, accounts: Accounts) -> list[Offence]:
    """A password that was changed in the future never expires."""
    return [Offence(one.name, one.changed_day) for one in accounts.people if one.changed_day > accounts.today]


PROPERTIES: dict[str, Callable[[Wanted, Accounts], list[Offence]]] = {
    function.__name__: function
    for function in (
        only_root_is_root,
        root_group_is_roots,
        one_group_zero,
        passwords_are_shadowed,
        no_empty_password,
        services_have_no_shell,
        without_shell_is_locked,
        unique_numbers,
        unique_names,
        unique_group_numbers,
        unique_group_names,
        groups_exist,
        shadow_group_is_empty,
        password_changed_in_the_past,
    )
}
