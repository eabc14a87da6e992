# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that are refused for a while, and hosts that cannot."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.docker.firewall import Firewall
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

MISSING = (1, "", "Error: Could not process rule: No such file or directory\nadd element inet estate draining …\n")


class Host:
    """Answers every program alike and remembers what it was asked."""

    def __init__(self, *answer):
        self.answer, self.asked = answer, []

    def run(self, argv):
        self.asked.append(argv)
        return self.answer


def test_ports_are_refused_for_a_time_and_admitted_again():
    host = Host(0, "", "")
    assert Firewall(host).refuse([8069, 8072], 60) is True
    Firewall(host).admit([8069])
    assert host.asked == [
        ["nft", "add", "element", "inet", "estate", "draining", "{ 8069 timeout 60s }"],
        ["nft", "add", "element", "inet", "estate", "draining", "{ 8072 timeout 60s }"],
        ["nft", "delete", "element", "inet", "estate", "draining", "{ 8069 }"],
    ]


@pytest.mark.parametrize("answer", [MISSING, (127, "", "nft: no such program on this host")])
def test_a_host_without_the_set_refuses_nothing_and_fails_nothing(answer):
    firewall = Firewall(Host(*answer))
    assert firewall.refuse([8069], 60) is False
    firewall.admit([8069])


def test_any_other_answer_is_an_error():
    with pytest.raises(EstateError, match="8069 timeout 60s: Operation not permitted"):
        Firewall(Host(1, "", "Operation not permitted\n")).refuse([8069], 60)
