#!/bin/sh
# Brings the lab up: `make lab-up`. LAB_RELEASE=bookworm gives Debian 12 hosts; the argument is another inventory than the lab's.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p .lab
export ANSIBLE_VAULT_PASSWORD_FILE=molecule/shared/files/vault_password.sh
# Building images takes minutes at the first time: what the builder says goes past here while Ansible waits for it.
touch .lab/images.log
tail -n 0 -F .lab/images.log 2>/dev/null &
tail=$!
trap 'kill $tail 2>/dev/null' EXIT
.venv/bin/ansible-playbook -i "${1:-inventories/lab}" molecule/shared/create.yml
