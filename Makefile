# Every target sets up what it needs: Python 3.11, venv and make are enough to begin with.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed
ARGS ?=
BENCHMARKS ?= spine lung front_ends leakage phantom phantom_realism phantom_transfer start_backbone ingest intake_real burnt_in sector partial_labels refusal retrieval arrivals segmentation throughput backmix contour trust pair_speed pair_similarities

SUITES ?= phantom phantom-factored lung breast heart-table digits
SEEDS ?= 5
# benchmarks that take hours and keep their cells
IN_CELLS ?= registration reconstruction federated_geometry

# One thread: the same last digits everywhere, and no fight over few cores.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help setup demo test test-system lint format bench contest docs clean

help:
	@echo "make setup        install into .venv (the other targets do it themselves)"
	@echo "make demo         watch sites build one classifier together (ARGS=... are passed on)"
	@echo "make test         lint, types, layering and tests"
	@echo "make test-system  tests that need root, other OS users, a browser or a web server"
	@echo "make lint format  check the style, put it right"
	@echo "make bench docs   measure every claim into docs/results, write docs/results.md from it"
	@echo "make contest      play the contests of rules, registration, reconstruction and geometry at hospitals, for hours; stopped, it goes on where it was"
	@echo "make clean        remove what the targets above have made, .venv too"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@echo "installing into .venv: a few minutes, once"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --constraint constraints.txt --editable '.[site,coordinator,demo,dev]'
	@touch $@

demo: $(STAMP)
	@$(BIN)/consilium demo $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-system: $(STAMP)
	$(BIN)/python -m pytest -m system tests/system $(ARGS)

format: $(STAMP)
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

bench: $(STAMP)
	for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks $$name --json docs/results/$$name.json || exit 1; done
	$(BIN)/python -m benchmarks.results

contest: $(STAMP)
	for suite in $(SUITES); do \
	  $(BIN)/python -m benchmarks incremental --suite $$suite --preset cpu --seeds $(SEEDS) \
	    --json docs/results/incremental_$$(echo $$suite | tr - _).json || exit 1; \
	done
	for name in $(IN_CELLS); do $(BIN)/python -m benchmarks $$name --json docs/results/$$name.json || exit 1; done
	$(BIN)/python -m benchmarks.results

docs: $(STAMP)
	$(BIN)/python -m benchmarks.results

clean:
	rm -rf .venv build dist demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
