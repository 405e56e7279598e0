# Needs make and Python 3.11 or newer; each target sets up the rest by itself, inside this folder.
# Another Python: make PYTHON=python3.13 demo

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help demo play test lint bench clean

help:
	@echo "make demo    set up and train a network on the embedded handwritten digits"
	@echo "make play    set up and open the Studio, a page to play with small networks"
	@echo "make test    set up and run every check: style, types, import contracts, tests"
	@echo "make lint    the quick part of it: style, types, import contracts"
	@echo "make bench   race against the peers (downloads PyTorch and Keras)"
	@echo "make clean   remove what the others made; runs/ stays"

demo: $(READY)
	@$(BIN)/layerwise train digits

play: $(READY)
	@$(BIN)/layerwise play

# Three processes, since now and then each waits, for a browser or a process of its own. Each takes whole files: what
# one file shares is made once. The longest come first (tests/conftest.py).
test: lint
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: $(READY)-test
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter

bench: $(READY)-bench
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

clean:
	rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Python may bring an old pip, which takes two fifths longer, since it weighs every file of every version of a package.
# The package is installed in place, so that only new requirements call for another installation. Modules are compiled
# when they are first imported: compiling all of them would take half of the time, and most are never imported.
$(READY): EXTRA :=
$(READY)-test: EXTRA := [all,test]
$(READY)-bench: EXTRA := [all,bench]
$(READY) $(READY)-test $(READY)-bench: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "layerwise needs Python 3.11 or newer, and '$(PYTHON)' is not: name another, e.g. make PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { \
	  echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu it needs: apt-get install python3-venv" >&2; \
	  exit 1; }
	@echo "Installing layerwise$(EXTRA) into .venv: once, a minute or more ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e ".$(EXTRA)"
	@touch $@
