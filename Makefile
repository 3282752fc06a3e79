# Each target makes its own virtual environment: Python, make and a package index are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests and the demo leave the machine usable for others.
THREADS := TF_CPP_MIN_LOG_LEVEL=3 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1

.PHONY: demo test test-slow test-jax lint clean

demo: $(VENV)/installed
	$(BIN)/python -m kgan.zoo.dcgan --dataset=digits --out=runs/demo --overwrite \
		--sample_every_epochs=10 --checkpoint_every_epochs=20

test: $(VENV)/installed-dev
	$(THREADS) $(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/installed-dev
	$(THREADS) $(BIN)/python -m pytest -m slow

# What a backend computes: the step, games and zoo, and the mathematics that they rest on. A compiled
# step takes seconds and a test makes one, so each part of kgan sends its own tests of it alone.
JAX_TESTS := tests/backend tests/losses tests/layers tests/backbones tests/dynamics tests/games \
	tests/penalties tests/augment tests/callbacks/test_interrupt.py tests/test_micro_batches.py \
	tests/test_rematerialization.py \
	tests/zoo/test_conformance.py tests/zoo/test_other_backend.py
# Tiny networks are compiled for far longer than they run.
JAX := KERAS_BACKEND=jax JAX_PLATFORMS=cpu \
	XLA_FLAGS="--xla_cpu_multi_thread_eigen=false --xla_backend_optimization_level=0"

test-jax: $(VENV)/installed-dev
	$(THREADS) $(JAX) $(BIN)/python -m pytest -m "not slow" $(JAX_TESTS)
	$(THREADS) $(JAX) $(BIN)/python -m pytest -m slow tests/zoo/test_resume.py

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build *.egg-info
