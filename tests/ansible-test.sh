#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible-test on a copy of the tree: it insists on a checkout at …/ansible_collections/retailerp/estate, and links do not count.
#   tests/ansible-test.sh sanity | units
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export PATH="$root/.venv/bin:$PATH"
python=$("$root/.venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
copy=$root/.venv/ansible-test/ansible_collections/retailerp/estate
export HOME=$root/.venv/ansible-test/home
mkdir -p "$copy" "$HOME/.config/pip" "$HOME/.ansible/test/cache"

# Only PATH and HOME reach ansible-test's own virtual environments: hand pip's settings on as a file,
# and make pip from Python's own ensurepip, so that nothing but the package index is needed.
"$root/.venv/bin/pip" config list | sed -nE "s/^(:env:|global)\.([a-z-]+)='(.*)'$/\2 = \3/p" | sort -u -t= -k1,1 \
  | { echo "[global]"; cat; } >"$HOME/.config/pip/pip.conf"
version=$(sed -nE "s/^ +pip='([0-9.]+)',.*/\1/p" \
  "$root"/.venv/lib/python*/site-packages/ansible_test/_internal/python_requirements.py)
cat >"$HOME/.ansible/test/cache/get_pip_${version//./_}.py" <<'PYTHON'
import runpy, subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])
sys.argv[:] = ["pip", "install"] + [a for a in sys.argv[1:] if a not in ("--no-setuptools", "--no-wheel")]
runpy.run_module("pip", run_name="__main__")
PYTHON

(cd "$root" && git ls-files -co --exclude-standard -z | while IFS= read -r -d '' f; do [ -e "$f" ] && printf '%s\0' "$f"; done) \
  | tar -C "$root" --null -T - -cf - | {
    # tests/output holds the environments that the last run built.
    find "$copy" -mindepth 1 -maxdepth 1 ! -name tests -exec rm -rf {} +
    find "$copy/tests" -mindepth 1 -maxdepth 1 ! -name output -exec rm -rf {} + 2>/dev/null || true
    tar -C "$copy" -xf -
  }
cd "$copy"
git init -q . && git add -A . 2>/dev/null
case "${1:?sanity or units}" in
  sanity) exec ansible-test sanity --venv --python "$python" --color no --skip-test pslint "${@:2}" ;;
  units) exec ansible-test units --python "$python" --color no "${@:2}" ;;
esac
