# make help says what each target does.
PYTHON ?= python3.11
BIN    := .venv/bin
UV     ?= $(BIN)/uv
PIP    := $(BIN)/python -m pip -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: run test check ui lock bench clean help

run: .venv/.run  ## Build the environment, then land, build, check and publish all marts
	@$(BIN)/mart build

ui: .venv/.run  ## Open the Dagster UI on this machine
	@$(BIN)/mart ui

test: check  ## Run all checks and all tests
	@$(BIN)/python -m pytest -n 2

check: .venv/.test  ## Lint, format, types, import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: .venv/.test  ## Measure the build against a bare DuckDB script
	@$(BIN)/python benchmarks/build.py

lock: .venv/.test  ## Write both locks anew; UPGRADE=--upgrade takes newer releases
	@$(COMPILE) --extra demo --output-file requirements.lock
	@$(COMPILE) --all-extras --constraint requirements.lock --output-file requirements-dev.lock

clean:  ## Remove the environment and all caches; data/ stays
	@rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One environment, filled up to two marks. The development lock holds all of the other one, so it sets both.
.venv/.run: requirements.lock pyproject.toml | $(BIN)/python
	@$(call install,requirements.lock)
	@touch $@

.venv/.test: requirements-dev.lock pyproject.toml | $(BIN)/python
	@$(call install,requirements-dev.lock)
	@touch .venv/.run $@

$(BIN)/python:
	@$(PYTHON) -m venv .venv

# Locks are complete, so nothing is resolved; the build backend is in them, so nothing else is fetched.
define install
echo "Installing $(1) into .venv"
$(PIP) install --no-deps --require-hashes --requirement $(1)
$(PIP) install --no-deps --no-build-isolation --editable .
endef

COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(UPGRADE) --group build pyproject.toml
