# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode on hosts nobody has touched: it foretells changes on each of them, and makes none.

Not named test_…, as it holds on bare hosts only: Molecule's scenario runs it by name, between create and converge.
"""

from __future__ import annotations

# Files below /etc with size, time and target; packages; what has a directory of its own. The estate would show in each.
TRACES = "find /etc -xdev ! -type d -printf '%p %s %T@ %l\\n' | sort; dpkg-query -W; ls -A /opt /usr/local/lib /var/lib"


def test_check_mode_foretells_the_estate_and_leaves_bare_hosts_untouched(lab):
    before = {host: lab.ssh(host, TRACES) for host in lab.hosts}
    assert [host for host, traces in before.items() if "estate" in traces or "docker.io" in traces] == [], "not bare"
    run = lab.playbook("onboard", "--check", "--diff")
    assert {host for host, _task in run.changed_tasks()} == set(lab.hosts)
    for foretold in ("+table inet estate", "+PermitRootLogin no", "file /etc/estate/traefik-dynamic/routes.yml"):
        assert foretold in run.output
    assert "Traceback" not in run.output
    assert {host: lab.ssh(host, TRACES) for host in lab.hosts} == before
