.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
PLATFORMS := tests/processes tests/containers tests/cli
BROWSER := tests/browser

.PHONY: help setup demo dev test test-processes test-browser pictures mutants chaos bench check format reference docs requirements clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with everything (the other targets call it when needed)

$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Perdure needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## Run the main job on real input and print what happened
	@$(BIN)/perdure demo

dev: $(STAMP) ## Run everything in one process: database, API, worker, notifier, local inbox
	@$(BIN)/perdure dev

test: $(STAMP) ## Run the checks and the tests
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --numprocesses=2 --dist=loadgroup $(PLATFORMS:%=--ignore=%) $(BROWSER:%=--ignore=%)

test-processes: $(STAMP) ## Run the tests of whole platforms: started, killed, commanded, as the pages say
	$(BIN)/pytest --numprocesses=2 --dist=loadgroup $(PLATFORMS)

test-browser: $(STAMP) ## Have Chromium draw the dashboard and the mails, use and measure them; pictures are left in build/
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/pytest --numprocesses=2 --dist=loadfile $(BROWSER)

pictures: $(STAMP) ## Draw the pictures of the dashboard in docs/pictures anew
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m tests.browser.pictures

mutants: $(STAMP) ## Break one promise after another in a copy of the code; the tests must notice each
	$(BIN)/python -m mutants

bench: $(STAMP) ## Measure Perdure, its peers and the database's own limit side by side (QUICK=1, FULL=1)
	$(BIN)/python -m benchmarks --mode $(if $(QUICK),quick,$(if $(FULL),full,default))

chaos: $(STAMP) ## Hurt real processes in every way, and ask the oracle what was lost (MINUTES=2, KILLS=200, SEED=…)
	$(BIN)/python -m chaos --minutes $(or $(MINUTES),2) --kills $(or $(KILLS),200) $(if $(SEED),--seed $(SEED))

check: $(STAMP) ## Run the checks alone: style, types, walls between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference: $(STAMP) ## Write the reference pages anew from the code
	$(BIN)/python -m documentation reference

docs: $(STAMP) ## Build the documentation's site in build/site
	$(BIN)/python -m documentation site

requirements: $(STAMP) ## Pin the dependencies anew, with hashes
	$(BIN)/uv pip compile --quiet pyproject.toml --extra smtp --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --upgrade --output-file requirements/runtime.txt
	$(BIN)/uv pip compile --quiet pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --upgrade --output-file requirements/dev.txt

clean: ## Remove what the targets made
	rm -rf $(VENV) .perdure build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
