# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Two commands do everything on a fresh Debian machine, as root: make demo, make test.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

LAB_RELEASE ?= trixie
PYTHON ?= python3
INVENTORY ?= inventories/lab
BIN := .venv/bin
export LAB_RELEASE
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Prints the lab's password, and something harmless as long as there is no lab.
export ANSIBLE_VAULT_PASSWORD_FILE := $(CURDIR)/molecule/shared/files/vault_password.sh
export ANSIBLE_CALLBACKS_ENABLED := retailerp.estate.report
# The controller's environment is named by what it is made of: another set of requirements is another stamp.
STAMP := .venv/made-$(shell cat requirements.txt requirements-dev.txt | sha256sum | cut -c1-12)

# $(call phase,what happens): says what is being done and since when; the recipe's own output follows.
phase = @printf '\n=== %(%H:%M:%S)T  %s\n' -1 $(1)

.PHONY: help setup demo test test-all lint unit sanity units images checks lab-up lab-down tools scenario-default scenario-solo scenario-postgresql_streaming scenario-postgresql_patroni scenario-backup drills bench

help: ## Show this help
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

$(STAMP): requirements.txt requirements-dev.txt
	$(call phase,"Setting up the controller: Ansible and the test tools in .venv (1-2 min)")
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv .venv 2>/dev/null || { apt-get update -q && apt-get install -qy python3-venv && $(PYTHON) -m venv .venv; }
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@mkdir -p .venv/collections/ansible_collections/retailerp
	@ln -sfn ../../../.. .venv/collections/ansible_collections/retailerp/estate
	@touch $@

setup: $(STAMP) ## Make the controller's environment (.venv)

demo: setup ## Build the lab, onboard the example retailer, say where to log in and what took how long
	@molecule/shared/demo.sh

lab-up: setup ## Build the images (once) and boot the lab's six hosts, bare
	@molecule/shared/lab-up.sh

lab-down: setup ## Remove the lab and everything it left on this machine, but for the caches
	@molecule/shared/lab-down.sh

lint: setup ## ansible-lint (production), yamllint, ruff, shellcheck, documentation
	$(call phase,"Linting")
	@ruff check . && ruff format --check .
	@yamllint .
	@shellcheck $$(git ls-files '*.sh')
	@ansible-lint --offline
	@antsibull-docs lint-collection-docs --plugin-docs . && antsibull-changelog lint

unit: setup ## Unit and property tests
	$(call phase,"Unit and property tests")
	@pytest -n 2 --hypothesis-profile=ci tests/unit

sanity: setup ## ansible-test sanity, on a copy of the tree
	$(call phase,"ansible-test sanity (cold 2 min)")
	@tests/ansible-test.sh sanity

units: setup ## The unit tests as ansible-test runs them
	$(call phase,"ansible-test units")
	@tests/ansible-test.sh units

tools:
	@for tool in age chromium certutil nmap; do command -v $$tool >/dev/null || missing=1; done; [ -z "$${missing:-}" ] || { \
	  apt-get update -q && apt-get install -qy --no-install-recommends age chromium libnss3-tools nmap; }

# What Molecule leaves standing is tested from outside, as customers, people and strangers meet it; then it is removed.
# Destroyed first: Molecule remembers what it created, even if lab-down has taken it away.
scenario-default: setup tools ## The whole estate on six hosts: bare check, converge, idempotence, verify, tests from outside
	$(call phase,"Molecule default: the whole estate on six hosts (cold: images take 15 min first)")
	@molecule --base-config molecule/config.yml destroy -s default
	@molecule --base-config molecule/config.yml test -s default --destroy never
	$(call phase,"Tests of the estate from outside")
	@pytest tests/integration tests/browser -m "not drill"
	@molecule --base-config molecule/config.yml destroy -s default

scenario-solo: setup tools ## The lightweight estate on one host: the same, in short
	$(call phase,"Molecule solo: everything on one host")
	@molecule --base-config molecule/config.yml destroy -s solo
	@molecule --base-config molecule/config.yml test -s solo --destroy never
	$(call phase,"Tests of the single-host estate from outside")
	@ESTATE_INVENTORY=molecule/solo/inventory pytest tests/integration/test_estate.py
	@molecule --base-config molecule/config.yml destroy -s solo

scenario-postgresql_streaming: setup ## The database pair, broken in every way; no acknowledged row is lost
	$(call phase,"Molecule postgresql_streaming: the database pair under faults (about 40 min)")
	@molecule --base-config molecule/config.yml destroy -s postgresql_streaming
	@molecule --base-config molecule/config.yml test -s postgresql_streaming --destroy never
	@pytest tests/integration/test_failover.py tests/integration/test_standby.py tests/integration/test_upgrade.py
	@molecule --base-config molecule/config.yml destroy -s postgresql_streaming

scenario-postgresql_patroni: setup ## Three members in Patroni's hands, broken in every way; no acknowledged row is lost
	$(call phase,"Molecule postgresql_patroni: automatic failover under faults (about 70 min)")
	@molecule --base-config molecule/config.yml destroy -s postgresql_patroni
	@molecule --base-config molecule/config.yml test -s postgresql_patroni --destroy never
	@ESTATE_INVENTORY=molecule/postgresql_patroni/inventory pytest tests/integration/test_patroni.py tests/integration/test_etcd.py \
	  tests/integration/test_rotation.py::test_nothing_fails_while_passwords_change
	@molecule --base-config molecule/config.yml destroy -s postgresql_patroni

scenario-backup: setup tools ## Backups in two stores: lost, attacked, restored, to the row
	$(call phase,"Molecule backup: backups in two stores and restores from them (about 40 min)")
	@molecule --base-config molecule/config.yml destroy -s backup
	@molecule --base-config molecule/config.yml test -s backup --destroy never
	@ESTATE_INVENTORY=molecule/backup/inventory pytest tests/integration/test_backup.py tests/integration/test_points.py \
	  tests/integration/test_restore_drill.py tests/integration/test_backup_faults.py tests/integration/test_directory_store.py \
	  tests/integration/test_disaster.py tests/integration/test_restore_copy.py
	@molecule --base-config molecule/config.yml destroy -s backup

# Built while the checks run, which need one of two cores most of the time. Where nothing is cached that saves minutes.
images: setup
	$(call phase,"Images of the lab while the checks run (cold: 8 to 15 min)")
	@mkdir -p .lab && ansible-playbook -i inventories/lab molecule/shared/create.yml --tags images | sed -u 's/^/[images] /'

checks: setup
	@$(MAKE) --no-print-directory --jobs 1 lint unit sanity

test: ## Everything but the slow fault drills
	@$(MAKE) --no-print-directory --jobs 2 images checks
	@$(MAKE) --no-print-directory scenario-default
	@$(MAKE) --no-print-directory scenario-solo

drills: setup ## The slow fault drills, on the lab that is up
	$(call phase,"Fault drills")
	@pytest tests/integration -m drill

test-all: test units scenario-postgresql_streaming scenario-postgresql_patroni scenario-backup ## make test, then the fault drills on labs of their own
	@$(MAKE) --no-print-directory demo
	@$(MAKE) --no-print-directory drills
	@$(MAKE) --no-print-directory lab-down

bench: setup ## The no-change onboard: seconds and tasks a host, on the lab that is up
	@$(BIN)/python tests/bench/onboard.py $(INVENTORY)
