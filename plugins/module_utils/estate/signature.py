# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shared access signature (SAS) says of itself.

By Azure's manual of its REST API, "Create a service SAS" and "Formatting DateTime values".
"""

from __future__ import annotations

import re
import urllib.parse
from datetime import datetime, timezone

#: Without a time a day begins, without a zone it is UTC. Fractions of a second do not count: older Pythons read few.
_MOMENT = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.[0-9]{1,7})?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def _said(signature: str) -> dict:
    return dict(urllib.parse.parse_qsl(signature.lstrip("?")))


def beyond(signature: str, needed: str) -> str:
    """The permissions it gives besides these, a letter each; Azure adds letters over the years."""
    return "".join(letter for letter in _said(signature).get("sp", "") if letter not in needed)


def under_policy(signature: str) -> bool:
    """Whether a stored access policy of the container decides with it, on its end, too."""
    return "si" in _said(signature)


def end(signature: str) -> datetime | None:
    """Until when it is valid, in UTC; None where it does not say so, or nothing that can be read."""
    found = re.fullmatch(_MOMENT, _said(signature).get("se", ""))
    if not found:
        return None
    day, time, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time or '00:00'}{'+00:00' if zone in (None, 'Z') else zone}")
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
