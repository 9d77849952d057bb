# Two commands do everything on a machine with git, python3 (with venv) and make:
#   make run     serve, stream a sample through the server, print the captions     (ONCE=1: stop after the sample)
#   make test    every check CI runs
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test check lint types imports format requirements clean browser

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.run: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Starling needs Python 3.11 to 3.13, found {v.major}.{v.minor}: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing Starling into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	@echo "installing the test tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	@touch $@

setup: $(VENV)/.run ## everything `starling` needs, in .venv
setup-dev: $(VENV)/.dev ## the test tools too

run: setup ## serve and caption a sample recording live; ONCE=1 stops after it
	@$(BIN)/starling demo $(if $(ONCE),--once) $(ARGS)

test: setup-dev browser lint types imports ## every check CI runs
	@$(BIN)/python -m pytest $(ARGS)

check: test

lint: setup-dev ## ruff: rules and format
	@$(BIN)/ruff check src tests bench
	@$(BIN)/ruff format --check src tests bench

types: setup-dev ## mypy --strict
	@$(BIN)/mypy

imports: setup-dev ## the direction of imports
	@$(BIN)/lint-imports

format: setup-dev ## put the sources into shape
	@$(BIN)/ruff check --fix-only --quiet src tests bench
	@$(BIN)/ruff format src tests bench

browser: ## Chromium for the console's tests
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  test "$$(id -u)" = 0 || { echo "the console's tests need Chromium: apt-get install chromium" >&2; exit 1; }; \
	  echo "installing Chromium ..."; apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install chromium >/dev/null; }

requirements: ## renew the hashed requirements from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml requirements-build.in -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml requirements-build.in --extra mic --group dev -c requirements.txt -o requirements-dev.txt

clean: ## remove everything `make` has made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
