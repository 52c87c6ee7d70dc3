# Everything runs from .venv, filled from requirements/ with hashes checked; only make and Python >= 3.11 must be there before.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The tag that the files in deploy/ name.
IMAGE ?= plivo-rt-bridge:0.1.0
FUZZ ?= 20000
CHAOS ?=
# pytest-xdist workers: two, because the simulator and the bridge under test already keep both sides busy.
WORKERS ?= 2
PYTEST_ARGS ?=
# Options of benchmarks.soak, for example SOAK='--store valkey'.
SOAK ?=

.PHONY: help run demo test lint types imports tests bench soak fuzz chaos audit lock image clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

run: $(STAMP) ## Start the bridge and an example app, place one simulated call, keep serving
	@$(BIN)/rt-bridge demo

demo: $(STAMP) ## As run, but stop after the call
	@$(BIN)/rt-bridge demo --exit

test: lint types imports tests ## Set up, then lint, type check, check the layering, run all tests

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

tests: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --cov=bridge --cov=mappings --cov-report=term:skip-covered $(PYTEST_ARGS)
	$(BIN)/python -m coverage report --include='mappings/_kernel/*' --fail-under=100

bench: $(STAMP) ## Run the benchmarks and print their tables
	$(BIN)/python -m benchmarks

soak: $(STAMP) ## 20,000 calls through one process: memory, cost and open files; SOAK=--help
	$(BIN)/python -u -m benchmarks.soak $(SOAK)

# Without pytest's own record of the log, which keeps every line of a test in memory.
fuzz: $(STAMP) ## A million hostile inputs and more, counted at the end; FUZZ=<cases> sets their number
	RT_BRIDGE_FUZZ=$(FUZZ) $(BIN)/python -m pytest -v -n $(WORKERS) -p no:logging $(PYTEST_ARGS) tests/fuzz

chaos: $(STAMP) ## Kill replicas and store under 500 calls, and print what became of them; CHAOS='--calls 100 --seed 7' changes that
	@PYTHONPATH=tests $(BIN)/python -m chaos $(CHAOS)

audit: $(STAMP) ## Check the locked requirements: hashes, versions, and the advisories of osv.dev where they can be reached
	@$(BIN)/python .ci/audit.py

# uv writes the lock files: versions and hashes only, for every platform and Python at once.
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet
lock: $(STAMP) ## Resolve dependencies again into requirements/ (UPGRADE=1 takes the newest)
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --extra redis --extra speed -o requirements/run.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --all-extras -o requirements/dev.txt
	grep -oE 'hatchling==[0-9.]+' requirements/dev.txt | $(LOCK) - -o requirements/build.txt

image: ## Build the container image with docker or podman
	@engine=$$(command -v docker || command -v podman) || { echo 'make image needs docker or podman.' >&2; exit 1; }; "$$engine" build -t $(IMAGE) .

clean: ## Remove caches and build results; the virtual environment stays
	rm -rf dist build .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# A name on PATH may be a version manager's shim that fails, so each candidate has to prove its version.
$(BIN)/python:
	@for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3.14 python3 python; do \
	  if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo 'plivo-rt-bridge needs Python 3.11 or newer with the venv module; install it, or name it: make PYTHON=/path/to/python3.' >&2; exit 1; \
	fi; \
	echo "Creating $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv $(VENV)

# The project itself is installed editable, without build isolation: its backend comes from the hashed file too.
$(STAMP): pyproject.toml requirements/dev.txt | $(BIN)/python
	@echo 'Installing the locked requirements'
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes --no-deps -r requirements/dev.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@
