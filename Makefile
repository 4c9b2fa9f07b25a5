# `make annotate` and `make test` need nothing but Python 3.11 and make; everything else goes into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
READY := $(VENV)/.ready

# Both names: which of the two reaches the isolated build of the package depends on the version of pip.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup annotate test lint format clean

help:
	@echo "make annotate   rank structures for the example spectra; the answers go to results/"
	@echo "make test       lint, types and all tests"
	@echo "make lint       lint and types alone"
	@echo "make format     put the source into the house style"
	@echo "make clean      remove what the other targets made"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable '.[dev]'
	touch $@

annotate: $(READY)
	$(VENV)/bin/diptych annotate src/diptych/shipped/example.mgf --rerank 50 -o results/example

test: lint
	$(VENV)/bin/python -m pytest

lint: $(READY)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

format: $(READY)
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

clean:
	rm -rf $(VENV) build dist results .mypy_cache .ruff_cache .pytest_cache .hypothesis
