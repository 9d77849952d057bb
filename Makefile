# Two commands do everything on a machine with git, python3 (with venv) and make:
#   make run     serve, stream a sample through the server, print the captions     (ONCE=1: stop after the sample)
#   make test    every check CI runs
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
JOBS ?= 4
DATA ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test check lint types imports format stubs requirements clean browser redis run-kafka
.PHONY: bench-streams bench-scaling bench-peers bench-accuracy bench-hotwords bench-noise bench-long bench-chaos bench-hosts bench-churn bench-overload bench-soak bench-connections bench-log bench-bus bench-protocols bench-recorded bench-page bench-jobs bench-hours

# pip in a few lines: what is large on its way, and when all of it is there. Errors are pip's own.
define install
set -o pipefail; PYTHONUNBUFFERED=1 $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off $(1) | awk ' \
  /^ *Downloading .*\([0-9][0-9][0-9.]* MB\)/ { split($$2, name, "-"); print "  downloading " name[1] ", " substr($$(NF-1), 2) " MB"; fflush() } \
  /^Installing collected packages/ { print "  all there; unpacking (half a minute) ..."; fflush() }'
endef

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.run: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Starling needs Python 3.11 to 3.13, found {v.major}.{v.minor}: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing Starling into $(VENV): $$(grep -c == requirements.txt) packages, about a minute and 0.7 GB the first time ..."
	@$(call install,--require-hashes --no-deps -r requirements.txt)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	@echo "installing the test tools into $(VENV): $$(grep -c == requirements-dev.txt) packages ..."
	@$(call install,--require-hashes --no-deps -r requirements-dev.txt)
	@touch $@

setup: $(VENV)/.run ## everything `starling` needs, in .venv
setup-dev: $(VENV)/.dev ## the test tools too

run: setup ## serve and caption a sample recording live; ONCE=1 stops after it
	@$(BIN)/starling demo $(if $(ONCE),--once) $(ARGS)

test: setup-dev browser redis lint types imports ## every check CI runs
	@$(BIN)/python tests/again.py --numprocesses $(JOBS) $(ARGS)

check: test

lint: setup-dev ## ruff: rules and format
	@$(BIN)/ruff check src tests bench
	@$(BIN)/ruff format --check src tests bench

types: setup-dev ## mypy --strict
	@$(BIN)/mypy

imports: setup-dev ## the direction of imports
	@$(BIN)/lint-imports

format: setup-dev ## put the sources into shape
	@$(BIN)/ruff check --fix-only --quiet src tests bench
	@$(BIN)/ruff format src tests bench

browser: ## Chromium for the console's tests
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  test "$$(id -u)" = 0 || { echo "the console's tests need Chromium: apt-get install chromium" >&2; exit 1; }; \
	  echo "installing Chromium ..."; apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install chromium >/dev/null; }

redis: ## Redis for the tests of several hosts
	@command -v redis-server >/dev/null || { \
	  test "$$(id -u)" = 0 || { echo "the tests of several hosts need Redis: apt-get install redis-server" >&2; exit 1; }; \
	  echo "installing Redis ..."; apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install redis-server >/dev/null; }

run-kafka: setup-dev ## a Kafka broker of one node, until Ctrl-C
	@$(BIN)/python tests/kafka_broker.py

bench-streams: setup-dev ## streams per core, by profile
	@mkdir -p bench/results docs/images
	@for profile in read half nonstop; do \
	  $(BIN)/python -m bench.streams --pin --profile $$profile --json bench/results/streams-$$profile.json \
	    --svg docs/images/streams-$$profile.svg $(ARGS) || exit 1; done
	@$(BIN)/python -m bench.overhead --streams 16 --json bench/results/overhead-read.json

bench-scaling: setup-dev ## what a second recognizer is worth
	@mkdir -p bench/results
	@$(BIN)/python -m bench.scaling --json bench/results/scaling.json $(ARGS)

bench-peers: setup-dev ## the same beside moonshine_voice
	@mkdir -p bench/results
	@for profile in read half; do \
	  $(BIN)/python -m bench.peers --profile $$profile --json bench/results/peers-$$profile.json $(ARGS) || exit 1; done
	@$(BIN)/python -m bench.peers --peer shipped --json bench/results/peers-read-shipped.json $(ARGS)

bench-accuracy: setup-dev ## word errors, flicker, word times: DATA=folder with manifest.jsonl
	@test -n "$(DATA)" || { echo "say where the recordings are: make bench-accuracy DATA=folder (see bench/README.md)" >&2; exit 1; }
	@mkdir -p bench/results
	@$(BIN)/python -m bench.accuracy $(DATA) --set words=true --json bench/results/accuracy.json
	@$(BIN)/python -m bench.quality $(DATA) --json bench/results/quality.json
	@$(BIN)/python -m bench.word_times $(DATA) --json bench/results/words.json

bench-noise: setup-dev ## what is written of sound in which nobody speaks: DATA=folder as above, or none
	@mkdir -p bench/results
	@$(BIN)/python -m bench.noise $(DATA) --json bench/results/noise.json

bench-long: setup-dev ## people who speak on and on, cut by the limit and by hand: DATA=folder as above
	@test -n "$(DATA)" || { echo "say where the recordings are: make bench-long DATA=folder (see bench/README.md)" >&2; exit 1; }
	@mkdir -p bench/results
	@$(BIN)/python -m bench.long_speech $(DATA) --json bench/results/long.json $(ARGS)

bench-hotwords: setup-dev ## rare words with and without hot words: DATA=folder with manifest.jsonl
	@test -n "$(DATA)" || { echo "say where the recordings are: make bench-hotwords DATA=folder (see bench/README.md)" >&2; exit 1; }
	@mkdir -p bench/results
	@$(BIN)/python -m bench.hotwords $(DATA) --json bench/results/hotwords.json

bench-chaos: setup-dev ## captions while processes are killed, stopped and outgrow their memory
	@mkdir -p bench/results
	@$(BIN)/python -m bench.chaos --json bench/results/chaos.json $(ARGS)

bench-churn: setup-dev ## memory and descriptors over 10,000 short sessions
	@mkdir -p bench/results
	@$(BIN)/python -m bench.churn --json bench/results/churn.json $(ARGS)

bench-overload: setup-dev ## twice as many come as there is room for
	@mkdir -p bench/results
	@$(BIN)/python -m bench.overload --json bench/results/overload.json $(ARGS)

bench-jobs: setup-dev ## recordings from many clients while transcribers are killed
	@mkdir -p bench/results docs/images
	@$(BIN)/python -m bench.jobs --json bench/results/jobs.json --svg docs/images/jobs.svg $(ARGS)

bench-hours: setup-dev ## a recording of hours through the running service: memory and CPU
	@mkdir -p bench/results
	@$(BIN)/python -m bench.hours --json bench/results/hours.json $(ARGS)

bench-soak: setup-dev ## memory over 30 minutes of coming and going
	@mkdir -p bench/results
	@$(BIN)/python -m bench.soak --json bench/results/soak.json $(ARGS)

bench-connections: setup-dev ## what 3,000 idle connections cost
	@mkdir -p bench/results
	@$(BIN)/python -m bench.connections --json bench/results/connections.json $(ARGS)

bench-protocols: setup-dev ## what each protocol of other servers costs beside Starling's own
	@mkdir -p bench/results
	@$(BIN)/python -m bench.protocols --json bench/results/protocols.json $(ARGS)

bench-log: setup-dev ## audio from process to process: shared memory beside sockets
	@mkdir -p bench/results
	@$(BIN)/python -m bench.shared_log --json bench/results/log.json $(ARGS)

bench-recorded: setup-dev ## recordings: speed beside moonshine_voice, memory over two hours, and what they cost live captions
	@mkdir -p bench/results
	@$(BIN)/python -m bench.recorded --hours 2 --json bench/results/recorded.json $(ARGS)
	@$(BIN)/python -m bench.beside --json bench/results/beside.json

bench-hosts: setup-dev redis ## roles apart, on Redis and on Kafka: chaos, rebalancing, networks that part
	@mkdir -p bench/results
	@$(BIN)/python -m bench.chaos --bus redis --sessions 20 --seconds 90 --json bench/results/chaos-redis.json $(ARGS)
	@$(BIN)/python -m bench.chaos --bus kafka --sessions 20 --seconds 200 --json bench/results/chaos-kafka.json $(ARGS)
	@$(BIN)/python -m bench.rebalance --bus redis --json bench/results/rebalance-redis.json
	@$(BIN)/python -m bench.rebalance --bus kafka --json bench/results/rebalance-kafka.json
	@$(BIN)/python -m bench.parted --json bench/results/parted.json

bench-bus: setup-dev redis ## the buses: what a result pays for Redis and Kafka, and how much audio a core carries
	@mkdir -p bench/results
	@$(BIN)/python -m bench.bus_tax --json bench/results/bus.json $(ARGS)
	@$(BIN)/python -m bench.throughput --json bench/results/throughput.json

bench-page: setup-dev ## write the tables of docs/benchmarks.md
	@$(BIN)/python -m bench.page bench/results docs/benchmarks.md

stubs: setup-dev ## write src/starling/protocols/wire/*_pb2.py from the .proto files beside them
	@$(BIN)/python -m starling.protocols.wire.generate

requirements: ## renew the hashed requirements from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml requirements-build.in -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml requirements-build.in --extra kafka --extra mic --extra s3 --group dev -c requirements.txt -o requirements-dev.txt

clean: ## remove everything `make` has made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
