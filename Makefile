# make demo and make test are the front door; make help lists the smaller doors behind them.

PYTHON ?= python3
CHROMIUM ?= /usr/bin/chromium
POSTGRES_15 ?= /usr/lib/postgresql/15/bin
ARGS ?=

BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null)
PIP_FLAGS := --quiet --progress-bar off --disable-pip-version-check --no-input
PYTEST := $(BIN)/python -m pytest
PYTHON_FOLDERS := $(foreach folder,$(wildcard src tests scripts examples benchmarks campaigns fuzz),\
	$(if $(shell find $(folder) -name '*.py' -print -quit),$(folder)))
WEB := $(patsubst %/package.json,%,$(wildcard web/demos/*/package.json web/console/package.json clients/*/package.json))
SUITES := unit engines sources outbox conformance integration properties examples campaigns browser

export CHROMIUM POSTGRES_15

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The checks come in a chosen order, cheap ones first; the two cores are used inside the steps.
.NOTPARALLEL:

.PHONY: help demo test format lint format-check types imports web web-test python-test clients prove prove-capture bench pins \
	clean distclean chromium postgres-15 python-there node-there $(SUITES)

help:
	@echo 'make demo         the server with its example systems; prints where to look'
	@echo 'make test         every check and every test'
	@echo
	@echo 'make format       put Python and web sources into the one format'
	@echo 'make lint         format and lint, nothing changed'
	@echo 'make types        mypy and tsc'
	@echo 'make imports      who may import whom'
	@echo 'make unit         also: $(filter-out unit,$(SUITES)): one folder of tests'
	@echo 'make clients      other people'"'"'s client libraries against our server'
	@echo 'make web          build the web parts;  make web-test  their tests'
	@echo 'make prove        the long campaigns: kill, cut, restart, and count what arrived'
	@echo 'make prove-capture  the long campaign of capture: a replica kept from changes alone, through kills'
	@echo 'make bench        the measurements of benchmarks/'
	@echo 'make pins         resolve requirements/ and the lock file anew (needs uv)'
	@echo 'make clean        remove what builds and tests leave;  make distclean  the environments too'
	@echo
	@echo 'PYTHON=python3.12 chooses the interpreter, CHROMIUM=/path the browser, ARGS="..." goes to demo, prove, bench, suites:'
	@echo 'make demo ARGS="--port 8206"   when port 8000 is taken'

# ── the front door

demo: .venv/.ready web
	$(BIN)/tidings demo $(ARGS)

test: .venv/.ready .venv-compat/.ready node_modules/.ready chromium postgres-15 lint types imports web web-test python-test
	@echo 'make test: everything holds'

# ── environments: made once, and again when the pins change

.venv/.ready: requirements/dev.txt pyproject.toml | python-there
	@echo 'making .venv from requirements/dev.txt'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
ifdef UV
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
else
	@$(BIN)/python -m pip install $(PIP_FLAGS) --require-hashes --only-binary :all: -r requirements/dev.txt
	@$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
endif
	@touch $@

.venv-compat/.ready: requirements/compat.txt | python-there
	@echo 'making .venv-compat from requirements/compat.txt'
	@.venv-compat/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv-compat
	@.venv-compat/bin/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/compat.txt
	@touch $@

node_modules/.ready: package-lock.json .npmrc | node-there
	@echo 'making node_modules from package-lock.json'
	@npm ci --no-progress --loglevel=error
	@touch $@

python-there:
	@command -v $(PYTHON) >/dev/null \
		|| { echo 'Tidings needs Python 3.11 or newer: $(PYTHON) is not on the path; try make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Tidings needs Python 3.11 or newer, and $(PYTHON) is older; try make PYTHON=python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo 'Python lacks its venv module (Debian: apt-get install python3-venv)' >&2; exit 1; }

node-there:
	@command -v node >/dev/null && command -v npm >/dev/null \
		|| { echo 'The web parts need Node.js 20 or newer with npm: node or npm is not on the path' >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' \
		|| { echo "The web parts need Node.js 20 or newer; this is $$(node --version)" >&2; exit 1; }

chromium:
	@if test -x '$(CHROMIUM)'; then :; \
	elif test '$(CHROMIUM)' = /usr/bin/chromium && test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		echo 'installing chromium for the browser tests'; \
		apt-get update -qq >/dev/null \
			&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core </dev/null >/dev/null; \
	fi; \
	test -x '$(CHROMIUM)' \
		|| { echo 'The browser tests need Chromium: install it (Debian: apt-get install chromium) or give CHROMIUM=/path' >&2; exit 1; }

# The newest Postgres comes as a wheel; the old one from Debian. Its package makes no cluster here: tests make their own.
postgres-15:
	@if test -x '$(POSTGRES_15)/postgres'; then :; \
	elif test '$(POSTGRES_15)' = /usr/lib/postgresql/15/bin && test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		echo 'installing postgresql-15 for the tests of capture'; \
		mkdir -p /etc/postgresql-common; \
		test -e /etc/postgresql-common/createcluster.conf \
			|| echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf; \
		apt-get update -qq >/dev/null \
			&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-15 </dev/null >/dev/null; \
	fi; \
	test -x '$(POSTGRES_15)/postgres' \
		|| { echo 'The tests of capture need Postgres 15 beside the newest: install it (Debian: apt-get install postgresql-15) or give POSTGRES_15=/path/to/bin' >&2; exit 1; }

# ── checks

lint: .venv/.ready node_modules/.ready
	$(BIN)/ruff format --check --quiet --diff .
	$(BIN)/ruff check --quiet .
	node_modules/.bin/oxlint --quiet --deny-warnings --no-error-on-unmatched-pattern
	node_modules/.bin/prettier --check --log-level warn .

format: .venv/.ready node_modules/.ready
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .
	node_modules/.bin/prettier --write --log-level warn .

types: .venv/.ready node_modules/.ready
	$(BIN)/mypy --no-color-output $(PYTHON_FOLDERS)
	@set -e; for package in $(WEB); do echo "$$package: typecheck"; npm --prefix $$package run --silent --if-present typecheck; done

imports: .venv/.ready
	$(BIN)/lint-imports --no-logo

# ── web

web: node_modules/.ready
	@set -e; for package in $(WEB); do echo "$$package: build"; npm --prefix $$package run --silent --if-present build; done

web-test: node_modules/.ready
	@set -e; for package in $(WEB); do echo "$$package: test"; CI=1 NO_COLOR=1 npm --prefix $$package run --silent --if-present test; done

# ── Python tests; what needs the machine to itself goes first, alone (pytest says 5 when there is none)

python-test: .venv/.ready .venv-compat/.ready node_modules/.ready chromium postgres-15
	CI=1 $(PYTEST) -m serial --session-timeout 900 || test $$? -eq 5
	CI=1 $(PYTEST) -m 'not serial' -n 2 --dist loadfile --inline-snapshot=disable --session-timeout 900

$(SUITES): .venv/.ready
	$(PYTEST) tests/$@ $(ARGS)

integration clients browser: .venv-compat/.ready node_modules/.ready
browser: chromium web
sources outbox integration unit: postgres-15

clients: .venv/.ready
	$(PYTEST) -m clients $(ARGS)

# ── the long ones

prove: .venv/.ready
	$(BIN)/python -m campaigns.prove $(ARGS)

prove-capture: .venv/.ready postgres-15
	$(BIN)/python -m campaigns.capture $(ARGS)

bench: .venv/.ready
	$(BIN)/python -m benchmarks.run $(ARGS)

# ── housekeeping

COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

pins:
	@command -v uv >/dev/null || { echo 'make pins needs uv on the path' >&2; exit 1; }
	$(COMPILE) --upgrade pyproject.toml --group test --group check --group fuzz -o requirements/dev.txt
	$(COMPILE) --upgrade --group compat -o requirements/compat.txt
	npm install --package-lock-only --no-progress

clean:
	rm -rf build dist htmlcov test-output .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf $(addsuffix /dist,$(WEB))
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv .venv-compat node_modules
