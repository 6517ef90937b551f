# Two commands set up everything: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
DATA ?= $(MARKET_TEST_DATA)
export MARKET_TEST_DATA := $(DATA)

.DEFAULT_GOAL := help
.PHONY: help run test test-long check format lock clean catalogues migration bench-pages bench-matching bench-search bench-bids bench-fanout bench-hostile bench-statistics

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(BIN)/pip:
	$(PYTHON) -m venv .venv

.venv/runtime: requirements.lock pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps -e .
	@touch $@

.venv/development: requirements-dev.lock pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps -e .
	@touch $@ .venv/runtime

run: .venv/runtime ## Serve on 127.0.0.1:8000 with demo data, SQLite and simulated payments
	MARKET_DEMO=true $(BIN)/market migrate
	MARKET_DEMO=true $(BIN)/market demo
	MARKET_DEMO=true $(BIN)/market serve

test: .venv/development ## Run the tests (under 10 minutes on two cores)
	$(BIN)/pytest -n auto --dist loadgroup -q

test-long: .venv/development ## Faults and soak (PART="--ignore=tests/faults" leaves real processes out)
	$(BIN)/pytest -n auto --dist loadgroup -q -m long $(PART)

check: .venv/development ## Lint, types, layers, templates, catalogues, migrations, build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -p no:cacheprovider tests/architecture tests/market/test_migrations.py
	$(BIN)/python -m build --wheel --outdir .venv/dist . > /dev/null

format: .venv/development ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

catalogues: .venv/development ## Gather new sentences of templates into the Chinese catalogue
	$(BIN)/pybabel -q extract --omit-header --no-location --sort-output -F pyproject.toml -o .venv/messages.pot web
	$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete --no-wrap -N -i .venv/messages.pot -l zh_Hans -d web/locale

migration: .venv/development ## Write a migration from changed rows (NAME="what changes")
	$(BIN)/python -m migrations $(NAME)

lock: .venv/development ## Renew the lock files
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header -c requirements.lock --extra vectors pyproject.toml -o requirements-vectors.lock

bench-pages: .venv/development ## Requests a second of the main pages beside a bare page
	$(BIN)/python -m tests.bench.bench_pages

bench-matching: .venv/development ## Ranking quality and latency (DATA=folder)
	$(BIN)/python -m tests.bench.bench_matching

bench-search: .venv/development ## Known-item search, quality and latency beside the bare engine (DATA=folder)
	$(BIN)/python -m tests.bench.bench_search

bench-bids: .venv/development ## Durable bids a second beside bare inserts, and over sockets beside an echo
	$(BIN)/python -m tests.bench.bench_bids

bench-hostile: .venv/development ## What bidders notice of hostile clients
	$(BIN)/python -m tests.bench.bench_hostile

bench-fanout: .venv/development ## Frames a second to many viewers beside a bare broadcast
	$(BIN)/python -m tests.bench.bench_fanout

bench-statistics: .venv/development ## A year's figure out of a million contracts beside plain SQL (CONTRACTS=number)
	$(BIN)/python -m tests.bench.bench_statistics

clean: ## Remove what can be made again
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
