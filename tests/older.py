# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as it was one minor version ago, for upgrades to the one that the hosts' sources offer.

Debian has one version a release. So its packages are taken apart and put together again with a lower number, which the
programs tell as well; they are the same otherwise. An upgrade leaves the archive's own packages behind.
"""

from __future__ import annotations

NEWEST = "LC_ALL=C apt-cache policy postgresql-%s | sed -n 's/^  Candidate: //p'"
# Installing stops Debian's own units of the version only: a server that Patroni started runs on.
MAKE = """
set -e
cd $(mktemp -d)
for package in postgresql-client-{major} postgresql-{major}; do
  apt-get -qq download $package={newest}
  dpkg-deb -R ${{package}}_*.deb $package
  sed -i 's/^Version: {now}/Version: {before}/' $package/DEBIAN/control
  LC_ALL=C sed -i 's/{now_}/{before}/g' $package/usr/lib/postgresql/{major}/bin/*
  dpkg-deb --build -Znone $package $package.deb >/dev/null
done
DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold *-{major}.deb
rm -r "$PWD"
"""


def number_before(number: str) -> str:
    """The minor version before this one, written with as many digits, so that it fits where the other one stood."""
    major, _dot, minor = number.partition(".")
    return f"{major}.{int(minor) - 1:0{len(minor)}}"


def install(lab, host: str) -> tuple[str, str]:
    """Bring a host's packages to the version before the newest; both numbers. Its server is not restarted."""
    major = lab.ssh(host, "ls /usr/lib/postgresql").strip()
    lab.ssh(host, "apt-get -qq update")
    newest = lab.ssh(host, NEWEST % major).strip()
    now = newest.partition("-")[0]
    before = number_before(now)
    words = {"major": major, "newest": newest, "now": now, "now_": now.replace(".", r"\."), "before": before}
    lab.ssh(host, MAKE.format(**words), timeout=600)
    return before, now
