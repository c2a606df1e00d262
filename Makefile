# Everything a developer runs. Each target sets up what it needs; `make help` lists them.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
UV     := uv==0.13.9
# The tests start a thousand processes of Python: each would compile again what it imports, which doubles their time.
unexport PYTHONDONTWRITEBYTECODE
# What a test sees of a process is not to depend on the shell it was started from.
unexport PYTHONUNBUFFERED

# What runs pytest: CI looks at what failed once more (.ci/again.py).
PYTEST_VIA =
# A module's tests stay together, so that what they share is made once.
WORKERS ?= --numprocesses auto --dist loadfile

.PHONY: help setup page demo test test-all check format bench reliability interruptions docs docs-pictures conformance-answers mutations fuzz attacks build clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(READY) page ## create the virtual environment with everything in it

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-dev.lock || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(READY)

page: $(READY) # the page that a browser shows, where its sources have changed
	@$(BIN)/python emulator/page/page_build.py

demo: page ## start an emulator, deploy a model, call it by every route
	@$(BIN)/clarifai-emulator demo

test: page ## run the tests, in minutes, on all cores; ARGS="tests/unit" picks some
	@$(PYTEST_VIA) $(BIN)/python -m pytest $(if $(filter tests tests/%,$(ARGS)),$(if $(filter tests/unit,$(ARGS)),$(WORKERS)),--quick $(WORKERS)) $(ARGS)

test-all: ## run everything: slow tests, containers, every way to run a model, every Python
	@.ci/run all

check: $(READY) ## lint, format, types, import layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright --warnings
	@$(BIN)/lint-imports
	@$(BIN)/python emulator/page/page_build.py check

format: $(READY) ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/python emulator/page/page_build.py format

bench: $(READY) ## measure, side by side with the SDK's own server; writes benchmarks/results.json
	@$(BIN)/python -m benchmarks $(ARGS)

reliability: $(READY) ## every fault and attack, with 1,000 cycles of deploy, and the figures of docs/reliability.md
	@CLARIFAI_TEST_CYCLES=1000 $(BIN)/python -m pytest -s -q tests/flow/test_broken_models.py tests/flow/test_restart.py \
	  tests/flow/test_slow_clients.py tests/flow/test_load.py tests/flow/test_left_behind.py \
	  tests/flow/test_cycles.py tests/flow/test_reload.py $(ARGS)
	@for run in $$(seq 20); do echo "client project, four workers, run $$run of 20"; \
	  $(BIN)/python -m pytest -q -n 4 -p no:cacheprovider --random-order fixtures/clients/greeter || exit 1; done
	@PYTHONPATH=tests $(BIN)/python -m attack

attacks: $(READY) ## attack an emulator in every way of the table, beside a server of grpcio; ARGS="--only http2 --short"
	@PYTHONPATH=tests $(BIN)/python -m attack $(ARGS)

interruptions: $(READY) ## interrupt every long command 100 times, under load, and look what it left
	@$(BIN)/python -m benchmarks.interruptions $(ARGS)

fuzz: $(READY) ## fuzz what reads bytes of strangers, ten minutes each; ARGS="http2 --minutes 60"
	@PYTHONPATH=tests $(BIN)/python -m fuzz $(ARGS)

newest: $(READY) ## install the newest SDK and everything else, and list what changed in it since we last looked
	@PYTHONPATH=tests $(BIN)/python -m newest check

docs: $(READY) ## write the generated pages of docs/, and the schema of topology files
	@$(BIN)/python docs/generate_api_coverage.py
	@$(BIN)/python docs/generate_rules.py
	@$(BIN)/python docs/generate_backends.py
	@$(BIN)/python docs/generate_sdk_in_models.py
	@$(BIN)/python docs/generate_topology_schema.py
	@$(BIN)/python docs/generate_fidelity.py
	@$(BIN)/python docs/generate_sdk_outline.py
	@$(BIN)/python docs/generate_corpus.py

docs-pictures: page ## take the pictures of docs/page.md of a real run, in Chromium; ARGS="requests map" for some
	@$(BIN)/python docs/generate_pictures.py $(ARGS)

conformance-answers: $(READY) ## write what the emulator answers to each probe; ARGS="routing.priority ids" for some
	@$(BIN)/python -m clarifai_emulator.conformance.answer_writer $(ARGS)

mutations: $(READY) ## change the emulator in 30 places, one at a time, and see that `conform` finds each; ARGS="--seed 2"
	@$(BIN)/python -m benchmarks.mutations $(ARGS)

build: $(READY) ## build the wheels and the source distributions into dist/
	@$(BIN)/python -m build --no-isolation --outdir dist
	@$(BIN)/python -m build --no-isolation --outdir dist light

clean: ## remove what the other targets made
	rm -rf $(VENV) dist .pytest_cache .ruff_cache .hypothesis emulator/page/node_modules \
	  emulator/clarifai_emulator/control/page/built
