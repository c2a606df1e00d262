# The stages of CI. Each is a test session of its own, with its own ports, homes and folders, so that those which wait
# for containers run beside those which compute. One alone: `make -f .ci/stages.mk lean`

# A machine without an engine or a browser is a failure, not a skipped test.
export CLARIFAI_TEST_DOCKER := required
export CLARIFAI_TEST_BROWSER := required
MAKEFLAGS += --no-print-directory
FLOW = $(1:%=tests/flow/test_%.py)

.PHONY: all containers check main flow lean in-process
all: containers check main flow python-3.12 python-3.13 lean in-process # in the order in which they begin

# One after the other, as one session at a time has the engine. The last is about everything that a replica serves or
# does, in one session, which shares its emulator; what is about processes only says so, and is skipped.
containers:
	@echo "== containers: an engine and a base image, made once"
	@.ci/docker-base
	@echo "== container tests"
	@$(MAKE) test ARGS="-q tests/docker"
	@echo "== the flow tests in containers"
	@CLARIFAI_TEST_RUNNER=docker CLARIFAI_TEST_CYCLES=4 $(MAKE) test ARGS="-q $(call FLOW,predict replicas routing \
	  faults broken_models slow_clients vanished_client bad_input restart state left_behind warm_replicas cycles \
	  load topology model_secrets stand_ins recorded_stand_ins uploads)"

check:
	@echo "== static checks"
	@$(MAKE) check

# `make test` in three parts: the container tests above, the flow tests below, and here all else.
main:
	@echo "== unit, plugin and packaging tests"
	@$(MAKE) test ARGS="-q --ignore=tests/flow --ignore=tests/docker"

flow:
	@echo "== flow tests"
	@$(MAKE) test ARGS="-q tests/flow"

lean:
	@echo "== the lean runner: the same flow tests"
	@CLARIFAI_TEST_RUNNER=lean $(MAKE) test \
	  ARGS="-q $(call FLOW,predict replicas faults broken_models slow_clients bad_input)"

in-process:
	@echo "== in process: predictions, routing"
	@CLARIFAI_TEST_RUNNER=inprocess $(MAKE) test ARGS="-q $(call FLOW,predict routing)"

python-%:
	@if python="$$(.venv/bin/uv python find --no-python-downloads $* 2>/dev/null)"; then \
	  echo "== Python $*: predictions, bad input, packaging"; \
	  $(MAKE) test PYTHON="$$python" VENV=.venv-$* ARGS="-q $(call FLOW,predict bad_input) tests/packaging"; \
	else \
	  echo "== Python $* is not on this machine: not tested"; \
	fi
