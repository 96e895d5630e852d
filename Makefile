# Every target does one thing; `make setup` is done by itself where a target needs it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.setup

.PHONY: setup fix lint check test e2e bench demo up web clean

setup: $(STAMP)

# One environment with everything: the platform, what the demo needs, and the tools. uv where it can be had.
$(STAMP): pyproject.toml hatch_build.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1" uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable ".[demo]" --group dev
	$(BIN)/python web/build.py --if-needed
	touch $(STAMP)

web: $(STAMP)
	$(BIN)/python web/build.py

fix: $(STAMP)
	$(BIN)/ruff check --fix src tests bench examples
	$(BIN)/ruff format src tests bench examples

lint: $(STAMP)
	$(BIN)/ruff format --check src tests bench examples
	$(BIN)/ruff check src tests bench examples
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/pytest -q -n 2 -m "not slow and not e2e"

test: $(STAMP)
	$(BIN)/pytest -n 2

e2e: $(STAMP)
	$(BIN)/pytest tests/e2e tests/clients

bench: $(STAMP)
	$(BIN)/python -m bench

demo: $(STAMP)
	$(BIN)/fairway demo

up: $(STAMP)
	$(BIN)/fairway up

clean:
	rm -rf $(VENV) src/fairway/front/static src/fairway/cluster/api/data/schemas.json
