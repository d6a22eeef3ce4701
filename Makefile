# make help lists what can be made. Nothing but Python 3.11 and make is needed to begin with.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/requirements-dev.lock

PACKAGES := $(wildcard campaign store activities workflows gateway simulator runtime commands \
  starter.py worker.py tests benchmarks examples)

# For demo: SCENARIO names what happens, UNATTENDED answers for the person who is asked.
SCENARIO ?=
UNATTENDED ?=

# For bench: any word makes it the full size.
FULL ?=

.PHONY: help setup demo dev test clients bench guards kill-switch returning lint format lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## the Python environment in .venv, from the lock file
	@:

# A copy of the lock as the stamp: it is made anew when the lock says something else.
$(READY): requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@if ! cmp -s $< $@; then \
	  echo "setting up .venv (once; about a minute)"; \
	  test -x $(BIN)/python || $(PYTHON) -m venv .venv; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<; \
	  cp $< $@; \
	fi
	@touch $@

demo: setup ## a campaign over a simulated fleet (SCENARIO=..., UNATTENDED=...)
	@$(BIN)/python starter.py demo $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(UNATTENDED),--unattended $(UNATTENDED))

dev: setup ## Temporal, PostgreSQL, worker and gateway on this machine, until Ctrl-C
	@$(BIN)/python starter.py dev

test: setup ## all tests but those with real update clients
	@$(BIN)/python -m pytest

clients: setup ## real update clients, fetched from Debian and PyPI, against the system (Debian only; minutes)
	@$(BIN)/python -m pytest -m clients -rs tests/clients

bench: setup ## all benchmarks and one table of their figures (ten minutes; FULL=1: a million vehicles, hours)
	@$(BIN)/python -m benchmarks $(if $(FULL),--full)

guards: setup ## what the guards cost and save, by simulation: docs/guards.md anew (minutes)
	@$(BIN)/python -m benchmarks.guards

kill-switch: setup ## the stop under full load, beside a million vehicles being selected (minutes)
	@$(BIN)/python -m benchmarks.kill_switch

returning: setup ## a fleet that comes back all at once: what is answered, sent away and lost (minutes)
	@$(BIN)/python -m benchmarks.returning

lint: setup ## style, types and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict $(PACKAGES)
	@$(BIN)/lint-imports --no-logo

format: setup ## put the code into its form
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

lock: ## the lock files anew, from pyproject.toml
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(PYTHON) -m venv "$$scratch"; \
	"$$scratch/bin/python" -m pip install --quiet --disable-pip-version-check uv; \
	compile=("$$scratch/bin/uv" pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-index-url --no-annotate); \
	"$${compile[@]}" --output-file requirements.lock; \
	"$${compile[@]}" --extra dev --output-file requirements-dev.lock

clean: ## remove what was made here, but not .ringmaster (the data)
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
