# Everything a developer does here. `make` alone says what there is.
# ARGS is handed on: make up ARGS="~/src/a ~/src/b", make test ARGS="-k receipt", make pins ARGS=--upgrade

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
COMPILE := CUSTOM_COMPILE_COMMAND="make pins" $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe \
	--strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.DEFAULT_GOAL := help
.PHONY: help up test again unit check fix bench chaos pins

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(INSTALLED) ## Start the local mesh; ARGS: directories to learn from
	$(BIN)/flocklore up $(ARGS)

test: $(INSTALLED) ## Run every test but the chaos runs, three at a time
	$(BIN)/pytest --numprocesses=3 --dist=worksteal $(ARGS)

again: $(INSTALLED) ## Run what failed last once more, one at a time
	$(BIN)/pytest --last-failed --last-failed-no-failures=none $(ARGS)

unit: $(INSTALLED) ## Run the tests that need no server
	$(BIN)/pytest tests/unit tests/contract $(ARGS)

check: $(INSTALLED) ## Lint, formatting, types, import rules, wire contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/flocklore schema check

fix: $(INSTALLED) ## Mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED) ## Run the benchmarks; ARGS: names of some of them
	$(BIN)/python -m bench $(ARGS)

chaos: $(INSTALLED) ## Run the long fault injections
	$(BIN)/pytest -m chaos -o faulthandler_timeout=3600 $(ARGS)

pins: $(INSTALLED) ## Pin the dependencies of pyproject.toml; ARGS=--upgrade for newer ones
	$(COMPILE) --output-file requirements/run.txt $(ARGS) pyproject.toml
	$(COMPILE) --output-file requirements/dev.txt --extra dev --constraint requirements/run.txt $(ARGS) pyproject.toml

$(INSTALLED): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
