# On a fresh machine with Python 3.11 or newer and make: `make demo` finds a network, `make test` runs the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-long chaos check lint format types setup clean

demo: setup  ## regularized evolution beside random search on handwritten digits
	$(BIN)/python experiments/demo.py

test: setup  ## the default tests, in parallel where they can
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not long and not ray"
	$(BIN)/python -m pytest -q -m "ray and not long"

test-long: setup  ## the tests that take minutes
	$(BIN)/python -m pytest -q -m long

chaos: setup  ## faults on purpose: kills, disk errors, damaged files; a table of promises
	$(BIN)/python experiments/chaos.py --quick

check: lint types test  ## what CI runs, before chaos and the demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(READY)  ## a virtual environment with the tested versions; done once, again when the requirements change

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,plots]"
	touch $(READY)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
