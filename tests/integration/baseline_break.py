# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host: breaks the controls it reads from standard input, each by its kind; or takes away what it left.

Never so that the host cannot be reached any more: rights are loosened where nobody refuses to work for it.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys

ACCOUNTS = ("/etc/passwd", "/etc/shadow", "/etc/group")
UNITS = "/run/systemd/system"
BY = "/var/tmp/baseline-break"
PEOPLE = {
    "only_root_is_root": ["toor:x:0:65534::/:/usr/sbin/nologin"],
    "root_group_is_roots": ["wheel:x:3000:0::/:/usr/sbin/nologin"],
    "passwords_are_shadowed": ["old:$y$hash:3001:65534::/:/bin/bash"],
    "no_empty_password": ["open:x:3002:65534::/:/bin/bash"],
    "services_have_no_shell": ["tool:x:990:65534::/:/bin/bash"],
    "without_shell_is_locked": ["guessed:x:3007:65534::/:/usr/sbin/nologin"],
    "unique_numbers": ["first:x:3008:65534::/:/bin/bash", "second:x:3008:65534::/:/bin/bash"],
    "unique_names": ["twin:x:3009:65534::/:/bin/bash", "twin:x:3010:65534::/:/bin/bash"],
    "groups_exist": ["orphan:x:3004:4999::/:/bin/bash"],
    "shadow_group_is_empty": ["reader:x:3005:42::/:/bin/bash"],
    "password_changed_in_the_past": ["late:x:3006:65534::/:/bin/bash"],
}
SHADOW = {"open": "open::20000:0:99999:7:::", "guessed": "guessed:$y$hash:20000::::::", "late": "late:!:99999::::::"}
GROUPS = {
    "one_group_zero": ["zero:x:0:"],
    "unique_group_numbers": ["one:x:4001:", "other:x:4001:"],
    "unique_group_names": ["same:x:4002:", "same:x:4003:"],
}


def run(*argv):
    subprocess.run(argv, check=False, capture_output=True)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def put(path, text, mode="w"):
    with open(path, mode, encoding="utf-8") as file:
        file.write(text)


def sysctl(one):
    # In a container the kernel is the machine's, and no test's to break.
    if os.path.exists("/run/systemd/container") and not one["key"].startswith("net."):
        return
    good = [one["value"], *one.get("or", [])]
    wrong = next(value for value in ("1", "0", "2") if value not in good)
    for path in glob.glob("/proc/sys/" + one["key"].replace(".", "/")):
        put(path, wrong)


def without(path, lines):
    put(path, "".join(f"{line}\n" for line in read(path).splitlines() if line not in lines))


def kernel_module(one):
    name = one["module"]
    without("/etc/modprobe.d/estate-baseline.conf", [f"install {name} /bin/false", f"blacklist {name}"])


def mount(one):
    against = ",".join(option[2:] for option in one["options"])
    run("mount", "-o", f"remount,{against}", one["path"])


def line(one):
    without(one["path"], one["lines"])


def text(one):
    put(one["path"], "by hand\n", "a")


def setting(one):
    put(one["path"], f"{one['key']}{one.get('separator', ' ')}9\n", "a")


def path(one):
    for found in glob.glob(one["path"]):
        if one.get("group"):
            os.chown(found, -1, 1)
        else:
            more = next(bit for bit in (0o001, 0o020, 0o002) if not int(one["mode"], 8) & bit)
            os.chmod(found, os.stat(found).st_mode & 0o7777 | more)


def package(one):
    if one["state"] == "absent":
        folder = f"{BY}/{one['package']}"
        os.makedirs(f"{folder}/DEBIAN", mode=0o755, exist_ok=True)
        known = f"Package: {one['package']}\nVersion: 999\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\n"
        put(f"{folder}/DEBIAN/control", f"{known}Description: nothing\n")
        run("dpkg-deb", "--build", folder)
        run("dpkg", "--install", f"{folder}.deb")
        return
    # Not there by dpkg's word, so that it is installed once more; what needs it goes on working meanwhile.
    status, word = read("/var/lib/dpkg/status"), f"Package: {one['package']}\nStatus: "
    put("/var/lib/dpkg/status", re.sub(re.escape(word) + "[a-z ]+", f"{word}deinstall ok config-files", status))


def unit(one):
    name = one["unit"]
    if one["state"] == "masked":
        run("systemctl", "unmask", name)
    elif one["state"] == "running":
        asked = ["systemctl", "show", "-p", "TriggeredBy", "--value", name]
        sockets = subprocess.run(asked, check=False, capture_output=True, text=True).stdout.split()
        run("systemctl", "disable", name)
        run("systemctl", "stop", *sockets, name)
    else:
        os.makedirs(UNITS, exist_ok=True)
        stem = name.rsplit(".", 1)[0]
        put(f"{UNITS}/{stem}.service", "[Service]\nExecStart=/bin/sleep infinity\n")
        if name.endswith(".socket"):
            put(f"{UNITS}/{name}", f"[Socket]\nListenStream=/run/{stem}.test\n")
        run("systemctl", "daemon-reload")
        # A socket starts before its service, or not at all.
        run("systemctl", "stop", f"{stem}.service")
        run("systemctl", "start", name)
        run("systemctl", "start", f"{stem}.service")


def account(one):
    os.makedirs(BY, exist_ok=True)
    for file in ACCOUNTS:
        if not os.path.exists(BY + file.replace("/", "-")):
            shutil.copy2(file, BY + file.replace("/", "-"))
    for person in PEOPLE.get(one["property"], []):
        name = person.split(":")[0]
        put("/etc/passwd", person + "\n", "a")
        put("/etc/shadow", SHADOW.get(name, f"{name}:!:20000::::::") + "\n", "a")
    for group in GROUPS.get(one["property"], []):
        put("/etc/group", group + "\n", "a")


def sshd(one):
    others = {"no": "yes", "yes": "no", "VERBOSE": "INFO", "10:30:60": "10:30:61"}
    wrong = others.get(one["value"]) or str(int(one["value"]) + 1)
    file = "/etc/ssh/sshd_config.d/00-estate.conf"
    kept = [row for row in read(file).splitlines() if not row.lower().startswith(one["key"] + " ")]
    put(file, "\n".join([*kept, f"{one['key']} {wrong}", ""]))


def daemon(one):
    file = "/etc/docker/daemon.json"
    value = here = json.loads(read(file))
    *outer, last = one["key"].split(".")
    for name in outer:
        here = here.setdefault(name, {})
    here[last] = "wrong"
    put(file, json.dumps(value))


def clean(controls):
    """What a run of the baseline leaves alone: accounts, and units of nobody."""
    for file in ACCOUNTS:
        if os.path.exists(BY + file.replace("/", "-")):
            shutil.copy2(BY + file.replace("/", "-"), file)
    for one in controls:
        if one["kind"] == "unit" and one["state"] == "off":
            stem = one["unit"].rsplit(".", 1)[0]
            for name in (f"{stem}.socket", f"{stem}.service"):
                if os.path.exists(f"{UNITS}/{name}"):
                    run("systemctl", "stop", name)
                    os.unlink(f"{UNITS}/{name}")
    run("systemctl", "daemon-reload")
    shutil.rmtree(BY, ignore_errors=True)


ASKED = json.load(sys.stdin)
if sys.argv[1] == "clean":
    clean(ASKED)
else:
    for asked in ASKED:
        globals()[asked["kind"]](asked)
