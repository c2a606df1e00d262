# The stages of CI. Each is a test session of its own, with its own ports, homes and folders, so that those which wait
# for containers run beside those which compute. One alone: `make -f .ci/stages.mk genuine`

# A machine without an engine or a browser is a failure, not a skipped test.
export CLARIFAI_TEST_DOCKER := required
export CLARIFAI_TEST_BROWSER := required
# So is one where look-ups of the real platform's names would go unnoticed.
export CLARIFAI_TEST_TRAP := required
MAKEFLAGS += --no-print-directory
# What failed is looked at once more, alone; the name of a stage is that of what is kept of it.
TEST = test PYTEST_VIA="python3 .ci/again.py $(or $(1),$@)"
FLOW = $(1:%=tests/flow/test_%.py)

# The flow tests that say something about another way to run a model, in short and in full.
SHORT_CONTAINERS = predict first_hour replicas broken_models restart left_behind topology uploads
IN_CONTAINERS = $(SHORT_CONTAINERS) routing faults slow_clients vanished_client bad_input state warm_replicas cycles \
  load model_secrets stand_ins recorded_stand_ins rollouts agents
SHORT_GENUINE = predict broken_models
GENUINE = $(SHORT_GENUINE) replicas rollouts faults slow_clients bad_input agents
# The unit tests that come nearest to other people's packages.
ON_PACKAGES = api cli messages models topology
PYTHONS = 3.12 3.13 3.14
NEWEST = 3.13

.PHONY: ci all containers containers-all check speed tests slow clients clients-all sdks sdks-all lowest lowest-all newest \
  genuine genuine-all in-process old-sdks-all
ci: containers check speed tests slow clients python-$(NEWEST) genuine in-process sdks lowest # in the order in which they begin
all: containers-all check speed tests slow clients-all old-sdks-all $(PYTHONS:%=python-%) genuine-all in-process sdks-all lowest-all newest

# One after the other, as one session at a time has the engine. The last is about everything that a replica serves or
# does, in one session, which shares its emulator; what is about processes only says so, and is skipped.
containers containers-all:
	@echo "== containers: an engine and a base image, made once"
	@.ci/docker-base
	@echo "== container tests"
	@$(MAKE) $(TEST) ARGS="-q tests/docker"
	@echo "== the flow tests in containers"
	@CLARIFAI_TEST_RUNNER=docker CLARIFAI_TEST_CYCLES=4 $(MAKE) $(call TEST,flow-$@) \
	  ARGS="-q $(call FLOW,$(if $(filter %-all,$@),$(IN_CONTAINERS),$(SHORT_CONTAINERS)))"

check:
	@echo "== static checks"
	@$(MAKE) check

# Ratios of processor time, which what runs beside it blurs little; what is slower is measured twice more.
speed:
	@echo "== the processor time of a predict, beside the SDK's own server, against benchmarks/base.json"
	@$(MAKE) bench ARGS="--quick --check benchmarks/base.json processor_time"

tests:
	@echo "== unit, flow, plugin and packaging tests"
	@$(MAKE) $(TEST) ARGS="-q"

slow:
	@echo "== what make test leaves out as slow"
	@$(MAKE) $(TEST) ARGS="-q -m slow --ignore=tests/docker --ignore=tests/clients --ignore=tests/sdks tests"

sdks sdks-all:
	@echo "== the SDK of other times, as a client and beside the plugin"
	@CLARIFAI_TEST_SDKS=$(if $(filter %-all,$@),all,short) $(MAKE) $(TEST) ARGS="-q tests/sdks"

lowest lowest-all:
	@echo "== the lowest versions of everything we ask for: unit tests, and predictions"
	@.venv/bin/python .ci/lowest.py $(if $(filter %-all,$@),tests/unit,$(ON_PACKAGES:%=tests/unit/%)) $(call FLOW,predict)

newest:
	@echo "== the newest of everything: what changed, and predictions"
	@$(MAKE) newest

# A few of them are among the slow tests.
old-sdks-all:
	@echo "== models with every SDK that they may name"
	@CLARIFAI_TEST_SDKS=all $(MAKE) $(TEST) ARGS="-q tests/flow/models/test_old_sdks.py tests/flow/models/test_sdk_versions.py"

genuine genuine-all:
	@echo "== the genuine runner: the same flow tests"
	@CLARIFAI_TEST_RUNNER=genuine $(MAKE) $(TEST) \
	  ARGS="-q $(call FLOW,$(if $(filter %-all,$@),$(GENUINE),$(SHORT_GENUINE)))"

in-process:
	@echo "== in process: predictions, routing, the platform's address"
	@CLARIFAI_TEST_RUNNER=inprocess $(MAKE) $(TEST) ARGS="-q $(call FLOW,predict routing real_platform)"

# Each client in an environment of its own, made once from the package indexes and kept in the cache folder.
clients clients-all:
	@echo "== clients from the package indexes"
	@$(MAKE) $(TEST) ARGS='-q $(if $(filter %-all,$@),,-m "not heavy") tests/clients'

python-%:
	@if python="$$(.venv/bin/uv python find --no-python-downloads $* 2>/dev/null)"; then \
	  echo "== Python $*: predictions, bad input, packaging"; \
	  $(MAKE) $(TEST) PYTHON="$$python" VENV=.venv-$* ARGS="-q $(call FLOW,predict bad_input) tests/packaging"; \
	else \
	  echo "== Python $* is not on this machine: not tested"; \
	fi
