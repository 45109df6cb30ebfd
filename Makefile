# Each target makes its own virtual environment; nothing but Python >= 3.11 with pip is needed.
PYTHON ?= python3
BIN := .venv/bin

# ASYNC127 wants httpx2 instead of httpx; 109 is turned off in ruff too, where the reason stands; the
# 9xx demand a checkpoint on every path, which the path of a chunk leaves out on purpose.
FLAKE8_ASYNC := --disable=ASYNC127,ASYNC109,ASYNC114,ASYNC124,ASYNC9

# Most tests wait for processes and sockets: one run of them for each core, three times as fast.
SPREAD := -n auto --dist worksteal

.PHONY: help demo test check bench bench-full bench-load bench-docs picture nightly format clean

help:            ## this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: .venv/cli.stamp    ## 200 streams; one server is killed, another stalls; then a load test and its report
	$(BIN)/triollama demo

test: check      ## the checks, then every test
	$(BIN)/pytest $(SPREAD) --cov --cov-report=term:skip-covered

check: .venv/dev.stamp   ## format, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/flake8-async $(FLAKE8_ASYNC) $$(find engine adapters -name "*.py")
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/bench.stamp ## this engine beside the clients that people use, in ten minutes
	$(BIN)/python -m benchmarks

bench-full: .venv/bench.stamp ## the same with more repetitions and longer windows, in an hour and a half
	$(BIN)/python -m benchmarks --full

bench-load: .venv/bench.stamp ## the load tester beside servers that know the truth, in a minute
	$(BIN)/python -m benchmarks --suite load

bench-docs: .venv/bench.stamp ## the table and charts of docs/benchmarks.md, from the last runs
	$(BIN)/python -m benchmarks.publish

picture: .venv/dev.stamp ## the pictures of docs/figures, from a real job and a real load test; needs Chromium
	$(BIN)/python -m benchmarks.batch_picture
	$(BIN)/python -m benchmarks.load_picture

nightly: .venv/dev.stamp ## the large counts: more seeds, more fuzzing
	$(BIN)/pytest $(SPREAD) -m "nightly or not nightly" --hypothesis-profile=nightly

format: .venv/dev.stamp  ## rewrite the files as the formatter wants them, and the generated stubs
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m triollama_adapters.portal.stubs

clean:           ## remove the environment and caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage

# A bare Debian has no ensurepip: there, the system's pip puts a pip into the new environment.
.venv/bin/pip:
	$(PYTHON) -m venv .venv >/dev/null 2>&1 || { rm -rf .venv; \
	  $(PYTHON) -m venv --without-pip .venv && $(PYTHON) -m pip --python .venv/bin/python install -q pip; }

.venv/%.stamp: .venv/bin/pip pyproject.toml
	$(BIN)/pip install -q --disable-pip-version-check -e '.[$*]'
	@touch $@
