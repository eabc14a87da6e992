# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that stand twice in the operator's files. Ansible keeps the last of them and warns; which one was meant?"""

from __future__ import annotations

import yaml

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem

KEYS = ("estate_spec", "estate_secrets", "estate_secrets_next")


def problems(files):
    """A Problem for each key below estate_spec, estate_secrets or estate_secrets_next that a file has twice.

    files: paths of group_vars files. Ansible reads them itself: one that is no YAML, or encrypted as a whole, is its.
    """
    return [Problem(path, f"stands twice in {file}, lines {lines}") for file in files for path, lines in _twice(file)]


def _twice(file):
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return
    for path, key, before in _repeated(node, ""):
        if path.partition(".")[0].partition("[")[0] in KEYS:
            yield path, f"{before.start_mark.line + 1} and {key.start_mark.line + 1}"


def _repeated(node, path):
    """(path, node of the key, node of the same key before it) of every key of a tree that repeats one."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _repeated(item, f"{path}[{index}]")
    if isinstance(node, yaml.MappingNode):
        seen = {}
        for key, value in node.value:
            here = f"{path}.{key.value}" if path else str(key.value)
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield here, key, seen[key.value]
                seen.setdefault(key.value, key)
            yield from _repeated(value, here)
