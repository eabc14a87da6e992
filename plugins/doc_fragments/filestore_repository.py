# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host reaches the repository of recovery points."""

from __future__ import annotations


class ModuleDocFragment:
    """Names C(retailerp.estate.filestore_repository)."""

    DOCUMENTATION = r"""
options:
  repository_file:
    description: A file on the host with the repository's address as restic takes it, with the gate's password in it.
    type: path
    default: /etc/estate/filestore/repository
  password_file:
    description: A file on the host with the repository's key.
    type: path
    default: /etc/estate/filestore/key
  ca_file:
    description: A file on the host, what signs the gate's certificate; with O(rclone_config) the store's.
    type: path
  rclone_config:
    description: A file on the host with rclone's configuration, on the keeper, which goes to the store past the gate.
    type: path
"""
