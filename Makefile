# Everything happens in .venv inside the checkout. PYTHON chooses the interpreter (3.11 or newer);
# TORCH_INDEX, if set, is the package index that torch is installed from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export OMP_WAIT_POLICY ?= PASSIVE
export TOKENIZERS_PARALLELISM ?= false

.PHONY: setup run test test-slow check bench docs clean

run: $(READY)  ## the main job on the shipped miniature; prints where the report lies
	$(BIN)/kshot run miniature:mixed --out runs/miniature

test: $(READY)  ## offline, on the CPU
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m slow

check: $(READY)  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pip check

bench: $(READY)  ## the benchmarks; figures are printed, the committed ones lie in benchmarks/
	$(BIN)/python -m benchmarks

docs: $(READY)  ## the command reference, written from the commands themselves
	$(BIN)/python docs/build.py

setup: $(READY)

$(READY): pyproject.toml constraints.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "kshot needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) \
	  "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev,embed]'
	touch $(READY)

clean:
	rm -rf $(VENV) runs build dist .mypy_cache .ruff_cache .pytest_cache
