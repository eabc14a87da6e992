# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of config_set to a ConfigSpec, and the payload in which secret contents travel. Pure."""

from __future__ import annotations

import base64
import json
import re
import shlex
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host.plan import (
    ConfigSpec,
    FileSpec,
    UnitSpec,
    unit_name,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

SHORTEST_ROLLBACK_S = 15
STDIN = "probe.stdin"


def encode_payload(contents: dict[str, bytes]) -> str:
    """Contents by path as one opaque text, which never stands in other output: hiding it hides nothing else."""
    coded = {path: base64.b64encode(content).decode() for path, content in contents.items()}
    return base64.b64encode(json.dumps(coded).encode()).decode()


def decode_payload(payload: str | None) -> dict[str, bytes]:
    """The reverse of encode_payload; nothing for None."""
    if not payload:
        return {}
    return {path: base64.b64decode(coded) for path, coded in json.loads(base64.b64decode(payload)).items()}


def config_spec(params: dict[str, Any], token: str | None) -> ConfigSpec:
    """The set the module was asked for; EstateError names every option that makes no sense."""
    payload = decode_payload(params.get("payload"))
    problems = list(_problems(params))
    files = []
    for option in params["files"]:
        try:
            files.append(_file(option, payload))
        except ValueError as err:
            problems.append(f"{option['path']}: {err}")
    if problems:
        raise EstateError("; ".join(problems))
    probe = params["probe"] or {}
    return ConfigSpec(
        name=params["name"],
        files=files,
        units=[
            UnitSpec(unit_name(unit["name"]), unit["action"], unit["enabled"], unit["effect"])
            for unit in params["units"]
        ],
        commands=[shlex.split(command) for command in params["commands"]],
        checks=[shlex.split(check) for check in params["validate"]],
        probe=probe.get("command"),
        probe_stdin=payload[STDIN].decode() if STDIN in payload else probe.get("stdin"),
        probe_timeout_s=probe.get("timeout_s") or 30,
        rollback_after_s=params["rollback_after_s"],
        token=token,
    )


def _problems(params: dict[str, Any]) -> Any:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,60}", params["name"]):
        yield f"name: {params['name']!r} may have lower case letters, digits, dot, dash and underscore only"
    paths = [option["path"] for option in params["files"]]
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        yield f"{path}: named twice"
    seconds = params["rollback_after_s"]
    if seconds is not None and seconds < SHORTEST_ROLLBACK_S:
        yield f"rollback_after_s: {seconds} is too short to confirm in; at least {SHORTEST_ROLLBACK_S}"


def _file(option: dict[str, Any], payload: dict[str, bytes]) -> FileSpec:
    path, state, secret = option["path"], option["state"], bool(option["secret"])
    if not path.startswith("/") or path.endswith("/") or "/../" in path:
        raise ValueError("must be an absolute path without a trailing slash")
    content = payload.get(path)
    if content is None and option.get("content") is not None:
        content = option["content"].encode()
    if state == "link":
        content = (option.get("target") or "").encode()
        if not content:
            raise ValueError("a link needs target")
    if state == "file" and content is None:
        raise ValueError("needs template, source or content")
    mode = option.get("mode") or ("0755" if state == "directory" else "0600" if secret else "0644")
    if not re.fullmatch(r"[0-7]{3,4}", mode):
        raise ValueError(f'mode {mode!r} is not octal; quote it, as in "0640"')
    if option.get("validate") and "%s" not in option["validate"]:
        raise ValueError("validate has no %s for the candidate's path")
    exclusive = bool(option.get("exclusive"))
    if exclusive and state != "directory":
        raise ValueError("exclusive is for a directory")
    return FileSpec(
        path,
        state,
        content or b"",
        option["owner"],
        option["group"],
        int(mode, 8),
        secret,
        option.get("validate"),
        exclusive,
    )
