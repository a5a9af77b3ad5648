# Everything is set up in .venv on first use; the only things needed are python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test test-deep chaos bench docs audit lint format lock clean

setup: $(VENV)/.run $(VENV)/.dev

# What running needs; enough for the demo.
$(VENV)/.run: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	echo "$(CURDIR)/service" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/flyball-source.pth"
	printf '#!/bin/sh\nexec "$(CURDIR)/$(BIN)/python" -m flyball "$$@"\n' > $(BIN)/flyball && chmod +x $(BIN)/flyball
	touch $@

# What testing needs on top.
$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

demo: $(VENV)/.run
	$(BIN)/flyball demo $(ARGS)

lint: setup
	$(BIN)/ruff check service tests docs
	$(BIN)/ruff format --check service tests docs
	$(BIN)/mypy
	$(BIN)/lint-imports

# Many tests wait for processes and answers: more workers than processors.
test: lint
	$(BIN)/python -m pytest -n 4 --dist worksteal -q -m "not slow"

test-deep: setup
	FLYBALL_TEST_PROFILE=deep $(BIN)/python -m pytest -n 2 -q

# Kills and faults by a seed, and what is true afterwards; ARGS="--seeds 10", "--store postgresql://…".
chaos: setup
	PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

bench: setup
	PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

# Known weaknesses of the locked libraries, as the vulnerability database has them today (needs the network).
audit: setup
	$(BIN)/python -m pip_audit --disable-pip --require-hashes -r requirements.lock
	$(BIN)/python -m pip_audit --disable-pip --require-hashes -r requirements-dev.lock

# The documentation as web pages, into `site/`.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

format: setup
	$(BIN)/ruff format service tests docs
	$(BIN)/ruff check --fix service tests docs

# Writes the lock files anew: hashes, no download addresses.
lock:
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements-dev.lock
	printf 'hatchling>=1.27\n' | $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" -o requirements-build.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache var
