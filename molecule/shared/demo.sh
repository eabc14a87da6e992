#!/bin/sh
# The lab from nothing to a working estate: `make demo`. Says how long each part took, and where to log in.
set -eu
cd "$(dirname "$0")/../.."
began=$(date +%s)
molecule/shared/lab-up.sh
booted=$(date +%s)
.venv/bin/ansible-playbook -i inventories/lab retailerp.estate.onboard
ended=$(date +%s)
cat <<TEXT

=== The estate stands. ======================================================================
  shop          https://shop.lab.test            (trust .lab/root.pem in your browser)
  admin site    https://admin.shop.lab.test      (from this machine; the proxy's API below /api, user operator)
  sign in       "Sign in with Microsoft": store, warehouse, finance, support or administrator; password lab
  or as         admin, whose password is estate_secrets.odoo_administrator in inventories/lab/group_vars/all/vault.yml:
                  .venv/bin/ansible -i inventories/lab localhost -m debug -a var=estate_secrets.odoo_administrator \\
                    --vault-password-file .lab/vault_password
  hosts         ssh -F .lab/ssh_config edge1     (app1, db1, db2, cache1, ops1)

  images and bare hosts   $((booted - began)) s
  onboarding              $((ended - booted)) s     (phases above)
  altogether              $((ended - began)) s
  To remove it all: make lab-down
=============================================================================================
TEXT
