# Everything happens in the project's own environment under .venv and chain/node/npm.
# `make run` and `make test` need Python 3.11+ and, for the EVM node, Node.js with npm.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NPM_DIR := chain/node/npm
JOBS ?= 2
RUN_OUT ?= out/season

.PHONY: run test coverage lint types bench soak docs clean setup setup-dev lock help

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "fairalloc needs Python 3.11 or newer; '$(PYTHON)' is not. Install it, or say: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing (on Debian: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The locks are complete: without --no-deps, pip asks the index about extras of what is pinned already.
$(VENV)/.run-ready: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev-ready: requirements-dev.lock $(VENV)/.run-ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

# Without Node.js the season runs on the slower pure-Python EVM; the program says which one it uses.
$(VENV)/.node-ready: $(NPM_DIR)/package-lock.json $(NPM_DIR)/package.json | $(BIN)/python
	@if command -v npm >/dev/null 2>&1 && command -v node >/dev/null 2>&1; then \
	  npm ci --prefix $(NPM_DIR) --no-audit --no-fund --silent; \
	  [ -x $(NPM_DIR)/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil ] || [ "$$(uname -sm)" != "Linux x86_64" ] || \
	    echo "npm has not got anvil: fairalloc will use its pure-Python EVM (slower). Is npm online? Then: rm $@; make setup" >&2; \
	else \
	  echo "Node.js/npm not found: fairalloc will use its pure-Python EVM (slower). Install Node.js 20+ for the fast one." >&2; \
	fi
	@touch $@

setup: $(VENV)/.run-ready $(VENV)/.node-ready  ## Install what running needs

setup-dev: setup $(VENV)/.dev-ready  ## Install what testing needs too

run: setup  ## Run a whole synthetic season: allocate, record on chain, audit
	$(BIN)/fairalloc run --synthetic 20000 --out $(RUN_OUT)

test: setup-dev  ## Run the test suite
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q

coverage: setup-dev  ## Run the test suite and tell which lines and branches nothing reaches, those of the solver too
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --cov --cov-report=term-missing:skip-covered -q

lint: setup-dev  ## Check style, import directions, and that what is generated is fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m chain.contract.build --check
	$(BIN)/python -m docs.generate --check

types: setup-dev  ## Check types
	$(BIN)/mypy

bench: setup-dev  ## Measure; writes .bench/results.json and prints a table
	$(BIN)/python -m tests.benchmarks

soak: setup-dev  ## The random tests for longer: forty times the instances, a million rows, kills of a full season
	FAIRALLOC_TIMES=40 FAIRALLOC_BAD_ROWS=1000000 FAIRALLOC_KILLS=10 FAIRALLOC_KILL_SIZE=20000 FAIRALLOC_LIVES=1000 \
	  $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q tests/integration tests/rules tests/e2e/test_interruption.py tests/e2e/test_intake_kills.py

docs: setup-dev  ## Write the generated pages of docs/ anew
	$(BIN)/python -m docs.generate

lock:  ## Re-resolve the locks (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --group build pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links -c requirements.lock --group build --group dev pyproject.toml -o requirements-dev.lock

clean:  ## Remove everything that was built or measured
	rm -rf $(VENV) $(NPM_DIR)/node_modules .fairalloc out .bench .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
