# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the SSH baseline wins, wherever someone else's line stands. sshd is imitated: the first value wins."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import ansible_collections.retailerp.estate.plugins.module_utils.result as anchor

SOURCE = Path(anchor.__file__).parents[2] / "roles/docker_host/files/ssh_baseline.py"
SPEC = importlib.util.spec_from_file_location("ssh_baseline", SOURCE)
ssh = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(ssh)

BASELINE = "# ours\nPermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
DEBIAN = "Include {0}/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\nSubsystem sftp /usr/lib/sftp\n"


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Lays out /etc/ssh; what the program prints, with the folder left out, and its code."""

    def first_values(*arguments: str) -> dict[str, str]:
        given = [text.split("=") for flag, text in zip(arguments, arguments[1:]) if flag == "-o"]
        path = arguments[1] if arguments[:1] == ("-f",) else f"{tmp_path}/sshd_config"
        said = {name.lower(): value for name, value in given}
        for line in ssh.settings(path):
            if not line.matched:
                said.setdefault(line.keyword, " ".join(line.words[1:]))
        return said

    def asked(main: str = DEBIAN, options: str = "", **dropins: str) -> tuple[int, list[str]]:
        (tmp_path / "sshd_config.d").mkdir()
        (tmp_path / "sshd_config").write_text(main.format(tmp_path))
        (tmp_path / "ssh").write_text(f'# Debian\nSSHD_OPTS="{options}"\n')
        for name, text in {"00-estate": BASELINE, **dropins}.items():
            (tmp_path / "sshd_config.d" / f"{name}.conf").write_text(text)
        monkeypatch.setattr(ssh, "MAIN", f"{tmp_path}/sshd_config")
        monkeypatch.setattr(ssh, "OPTIONS", f"{tmp_path}/ssh")
        monkeypatch.setattr(ssh, "sshd", first_values)
        said: list[str] = []
        monkeypatch.setattr("builtins.print", said.append)
        code = ssh.main(f"{tmp_path}/sshd_config.d/00-estate.conf")
        return code, "\n".join(said).replace(f"{tmp_path}/", "").splitlines()

    return asked


def test_debians_own_file_and_later_ones_change_nothing(ask):
    assert ask(**{"50-cloud-init": "PasswordAuthentication yes\n", "99-more": "PermitRootLogin yes\n"}) == (0, [])


YES = "'PasswordAuthentication yes' overrides the baseline; remove it"


@pytest.mark.parametrize(
    ("main", "dropins", "said"),
    [
        (DEBIAN, {"00-aaa": "\nPasswordAuthentication yes\n"}, f"sshd_config.d/00-aaa.conf:2: {YES}"),
        ("PasswordAuthentication yes\n" + DEBIAN, {}, f"sshd_config:1: {YES}"),
        ("passwordauthentication = yes # x\n" + DEBIAN, {}, "sshd_config:1: 'passwordauthentication yes'"),
        (DEBIAN + "Match User bob\n  PasswordAuthentication yes\n", {}, f"sshd_config:6: {YES}"),
        (DEBIAN, {"90-x": "Match all\nPasswordAuthentication yes\n"}, f"sshd_config.d/90-x.conf:2: {YES}"),
        (DEBIAN + "Match User bob\nInclude extra\n", {}, f"extra:1: {YES}"),
        (
            "ChallengeResponseAuthentication yes\n" + DEBIAN,
            {},
            "sshd_config:1: 'ChallengeResponseAuthentication yes'",
        ),
        ("UsePAM yes\n", {}, "sshd_config: nothing includes sshd_config.d/00-estate.conf"),
    ],
    ids=["drop-in", "first line", "other spelling", "match", "match all", "include in match", "old name", "no include"],
)
def test_what_overrides_it_is_named_by_file_and_line(ask, tmp_path, main, dropins, said):
    (tmp_path / "extra").write_text("PasswordAuthentication yes\n")
    code, (line, *more) = ask(main, **dropins)
    assert (code, line[: len(said)], more) == (1, said, [])


def test_a_match_block_may_repeat_the_baseline_and_set_what_is_not_in_it(ask):
    assert ask(DEBIAN + "Match User bob\nPasswordAuthentication no\nForceCommand internal-sftp\n") == (0, [])


def test_a_match_block_ends_with_its_file(ask):
    dropins = {"00-aaa": "Match User bob\nForceCommand x\n", "00-bbb": "PermitRootLogin yes\n"}
    assert ask(**dropins)[1] == ["sshd_config.d/00-bbb.conf:1: 'PermitRootLogin yes' overrides the baseline; remove it"]


def test_the_units_options_are_looked_at(ask):
    code, said = ask(options="-o PasswordAuthentication=yes")
    assert (code, said) == (1, ["ssh: SSHD_OPTS overrides 'PasswordAuthentication no'; remove it"])
