# Each target does all of its own set-up: a virtual environment, filled from a lock with hashes.
# PYTHON may name any Python from 3.11 on; VENV another place for the environment.
VENV ?= .venv
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
BIN := $(VENV)/bin
WORKERS ?= 2
BENCHMARKS ?= online_reads online_codec cold_start materialization point_in_time point_in_time_trino windows
# CDK looks for node on the PATH; the environment brings one.
export PATH := $(abspath $(BIN)):$(PATH)
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

.DEFAULT_GOAL := help
.PHONY: help demo demo-core test test-engines test-peers check format lock bench clean

help: ## Show what there is
	@echo "Asof, a serverless feature store for AWS. Targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/dev.stamp node_modules/.stamp ## The real cdk deploy against a local cloud, and all it deployed at work (2 minutes)
	@$(BIN)/python -m examples.flights.demo

demo-core: $(VENV)/demo.stamp ## A year of flights through the store in one process, without a deployment (1 minute)
	@$(BIN)/python -m examples.flights.demo_core

test: check ## Lint, types, and all tests, in random order
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -q

check: $(VENV)/dev.stamp node_modules/.stamp ## Lint and types only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/dev.stamp ## Format the code and mend what the linter can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(VENV)/engines.stamp ## Beside peers and the physical floor: tables, JSON and plots in docs/benchmarks (75 minutes; QUICK=1 for 15; needs Java)
	@$(BIN)/python -m benchmarks.peers install
	@for each in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$each $(if $(QUICK),--quick) || exit; done

test-engines: $(VENV)/engines.stamp node_modules/.stamp ## The same semantics on real engines: Trino, Spark, DynamoDB Local (needs Java 17 and 24 or newer)
	@ASOF_TEST_ENGINES=duckdb,local_athena,trino,spark $(BIN)/python -m pytest tests/engines -q --ignore tests/engines/dynamodb
	@ASOF_TEST_ENGINES=dynamodb $(BIN)/python -m pytest tests/engines/dynamodb -q

test-peers: $(VENV)/dev.stamp node_modules/.stamp ## Feast's own remote client reads the deployed API (installs Feast beside, 740 MB)
	@$(BIN)/python -m benchmarks.peers install feast
	@ASOF_TEST_ENGINES=feast $(BIN)/python -m pytest tests/peers -q

lock: ## Renew the locks (needs uv); they carry hashes and no registry's address
	uv pip compile pyproject.toml --extra demo --group build --universal --python-version 3.11 \
		--generate-hashes --no-header -o requirements.lock -q
	uv pip compile pyproject.toml --extra demo --extra infra --group dev -c requirements.lock --universal --python-version 3.11 \
		--generate-hashes --no-header -o requirements-dev.lock -q
	uv pip compile --group engines -c requirements-dev.lock --universal --python-version 3.11 \
		--generate-hashes --no-header -o requirements-engines.lock -q
	$(BIN)/python -m benchmarks.peers lock

clean: ## Remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info

$(VENV)/python.stamp:
	@test -n "$(PYTHON)" || { echo "Asof needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/demo.stamp: requirements.lock pyproject.toml | $(VENV)/python.stamp
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

node_modules/.stamp: package-lock.json | $(VENV)/dev.stamp
	@npm ci --silent
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(VENV)/python.stamp
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/engines.stamp: requirements-engines.lock | $(VENV)/dev.stamp
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-engines.lock
	@touch $@
