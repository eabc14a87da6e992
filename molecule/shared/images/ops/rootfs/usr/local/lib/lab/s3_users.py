# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the users of versitygw, in the format of its own file.  usage: s3_users.py SECRETS-FOLDER FILE"""

import json
import sys
from pathlib import Path

folder, file = map(Path, sys.argv[1:])
ids = {"userID": 0, "groupID": 0, "projectID": 0}
users = {
    f"lab-{name}": {
        "access": f"lab-{name}",
        "secret": (folder / f"s3_{name}").read_text().strip(),
        "role": "user",
        **ids,
    }
    for name in ("host", "keeper")
}
file.write_text(json.dumps({"accessAccounts": users}))
