# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline of hosts: whether and up to which level it is held, and which controls somebody answers for. No I/O."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate import schema
from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Host, Problem

AT = "estate_spec.baseline.exemptions"


def of_baseline(spec: dict, hosts: list, controls: Any) -> Iterator:
    """Problems of the exemptions. controls: the ids there are; none means they are not checked."""
    names = [host.name for host in hosts]
    taken: set[tuple[str, str]] = set()
    for index, exemption in enumerate(spec.get("baseline", {}).get("exemptions", [])):
        at, id = f"{AT}[{index}]", exemption.get("id")
        if controls and id is not None and id not in controls:
            yield Problem(f"{at}.id", f"{id} is no control of the baseline{schema.near(id, sorted(controls))}")
        expires = exemption.get("expires")
        if expires is not None and not _is_day(expires):
            yield Problem(f"{at}.expires", f"{expires} is not a day such as 2027-06-30")
        for place, name in enumerate(exemption.get("hosts", [])):
            if name not in names:
                yield Problem(f"{at}.hosts[{place}]", f"{name} is no host of the inventory{schema.near(name, names)}")
        meant = {(str(id), name) for name in exemption.get("hosts") or names}
        if meant & taken:
            yield Problem(at, f"{id} is exempted twice on {', '.join(sorted(name for _id, name in meant & taken))}")
        taken |= meant


def _is_day(text: str) -> bool:
    """Written in full, so that days compare as text."""
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text)) and bool(datetime.date.fromisoformat(text))
    except ValueError:
        return False


def of_host(spec: dict, host: Host) -> dict | None:
    """The slice of a host: the level, and the exemptions that are meant for it. None where nobody wrote a baseline."""
    if "baseline" not in spec:
        return None
    own = [one for one in spec["baseline"]["exemptions"] if not one.get("hosts") or host.name in one["hosts"]]
    return {
        "level": spec["baseline"]["level"],
        "exemptions": [{key: one[key] for key in ("id", "reason", "owner", "expires")} for one in own],
    }
