# Two commands: `make run` plays the main job on a loopback cloud, `make test` proves the project.
# Both set everything up first and need Python 3.11 or later, make and git, nothing else.

PYTHON ?= python3
# Function Compute's runtime; empty: a python3.12 on the path.
PYTHON312 ?=
export PYTHON312
VENV := .venv
BIN := $(VENV)/bin
BENCH := .bench
PROOFS ?= packages
# How many schedules in memory `make prove` plays; empty: all, the rest in proportion.
SCHEDULES ?=
# One part of `make prove` alone: packages, schedules, kills, failovers, races, mistakes or dropped; empty: all.
PART ?=
SCENARIO ?= events/scenarios/equinix-dc11.yaml

.PHONY: help setup run test check mutants format prove package bench lock clean

help:
	@echo "make run     set up, then play $(SCENARIO) on a loopback cloud"
	@echo "make test    set up, then static checks and all tests, with what each part took"
	@echo "make check   static checks alone"
	@echo "make mutants mutate the domain and say how many mutants its tests kill (half an hour and more; not part of make test)"
	@echo "make format  format the code"
	@echo "make prove   the proofs that take too long for make test: $(PROOFS), exactly once; PART=kills runs one part"
	@echo "make package build a folder and a zip for each function under build/functions; needs python3.12 or PYTHON312=..."
	@echo "make bench   measure against floors and peers; writes bench/RESULTS.md"
	@echo "make lock    lock the dependencies anew"
	@echo "make clean   remove everything that the other targets made"

setup: $(VENV)/.ready

# Hash-checked dependencies first, then the project itself without dependencies of its own.
$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Crossport needs Python 3.11 or later; set PYTHON=..." >&2; exit 1; }
	@date +%s > .setup-began
	@echo "setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@echo $$(( $$(date +%s) - $$(cat .setup-began) )) > $@
	@rm -f .setup-began

run: setup
	@$(BIN)/localcloud play $(SCENARIO)

test: setup
	@$(BIN)/python tests/parts.py

check: setup
	@$(BIN)/python tests/parts.py checks

# The tools of proofs are not needed for anything else and stand in a file of their own.
mutants: $(VENV)/.prove
	@nice -n 15 $(BIN)/python tests/mutants.py

$(VENV)/.prove: requirements/prove.txt $(VENV)/.ready
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --requirement requirements/prove.txt
	@touch $@

format: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# What takes too long for every run of the tests.
prove: setup
	@$(if $(filter-out packages,$(PART)),,$(BIN)/python tests/parts.py $(PROOFS))
	@$(if $(filter packages,$(PART)),,nice -n 5 $(BIN)/python tests/prove.py $(PART) $(SCHEDULES))

package: setup
	@$(BIN)/python -m deployment.package

# An environment of its own: the peers are dependencies of nothing else.
bench: $(BENCH)/.ready
	@$(BENCH)/bin/python -m bench

$(BENCH)/.ready: bench/requirements.txt pyproject.toml
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --requirement bench/requirements.txt
	@$(BENCH)/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: setup
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --all-extras --group dev pyproject.toml --output-file requirements/dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --constraint requirements/dev.txt --group prove --output-file requirements/prove.txt
	$(BIN)/python -m deployment.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --constraint requirements/dev.txt --all-extras --group build pyproject.toml bench/requirements.in --output-file bench/requirements.txt

clean:
	rm -rf $(VENV) $(BENCH) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
