# Everything Tandem needs to be built, shown and checked. Needs python3 (3.11 or later), make and git; nothing else.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# Bytecode pays back after two starts of Prefect, whatever the shell is set to.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready ## Install everything into .venv, pinned by constraints.txt

.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tandem needs Python 3.11 or later; set PYTHON=…"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m compileall -q accounts expectations flows
	@touch $@

demo: setup ## Build a believable world, run three weeks of it, say what to open
	@$(BIN)/tandem demo

test: setup ## Run all tests, on every core
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: setup ## Lint, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## Lint, types, import rules and all tests

chaos: setup ## Kill it at random moments, 1,000 times; SEED=… plays one of them again
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED),--histories 1000 --sabotage all)

bench: setup ## Measure product and limit side by side (docs/performance.md)
	@for bench in benchmarks/*.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

docs: setup ## Make the pictures of README and docs again, from the running program
	$(BIN)/python docs/pictures.py

clean: ## Remove what was installed and made
	rm -rf .venv .tandem .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup demo test lint check chaos bench docs clean
