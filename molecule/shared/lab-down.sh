#!/bin/sh
# Takes the lab away: `make lab-down`. The argument is another inventory than the lab's.
set -eu
cd "$(dirname "$0")/../.."
export ANSIBLE_VAULT_PASSWORD_FILE=molecule/shared/files/vault_password.sh
.venv/bin/ansible-playbook -i "${1:-inventories/lab}" molecule/shared/destroy.yml
