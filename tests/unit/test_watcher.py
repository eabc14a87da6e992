# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher of arguments sees processes that live as short as it says, and tells no word it looks for."""

from __future__ import annotations

import subprocess
import time

import pytest

from ansible_collections.retailerp.estate.tests.watcher import Watcher, decoys

WORD = "canary-8f1d-of-the-watcher"


def test_a_word_in_arguments_is_seen_and_not_told():
    with Watcher({"password": WORD, "other": "canary-of-nobody"}) as watcher:
        subprocess.run(["sh", "-c", "sleep 0.05; :", f"--password={WORD}"], check=True)
        seen = watcher.stop()
    assert seen.words.keys() == {"password"}
    assert "(password)" in seen.words["password"][0]
    assert WORD not in str(seen)


def test_decoys_are_seen_by_place_and_number(tmp_path):
    stop = tmp_path / "stop"
    with Watcher({}) as watcher:
        loop = subprocess.Popen(["sh", "-c", decoys("here", str(stop))], stdout=subprocess.PIPE, text=True)
        time.sleep(2.5)
        stop.touch()
        started, _none = loop.communicate()
        seen = watcher.stop()
    assert seen.decoys == {"here": [int(number) for number in started.split()]}
    assert seen.looks > 100


def test_a_watcher_that_died_is_an_error():
    with Watcher({}) as watcher:
        watcher._loop.kill()
        with pytest.raises(AssertionError, match="ended early"):
            watcher.stop()
