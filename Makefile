# Thin: the work is in scripts/.

RUN := PYTHONDONTWRITEBYTECODE= PATH="$(CURDIR)/.venv/bin:$(CURDIR)/.tools/bin:$$PATH" PULUMI_HOME="$(CURDIR)/.tools/pulumi-home" \
  PULUMI_IGNORE_AMBIENT_PLUGINS=true

# More at a time than there are cores: much of the engine's and of vLLM's time is waiting. What shares a stack stays in
# order (tests/conftest.py), and what takes longest comes first.
SIDE_BY_SIDE := --numprocesses 5 --dist loadfile --no-loadscope-reorder
# Unit tests know of no order.
ON_BOTH_CORES := --numprocesses 2

.DEFAULT_GOAL := help
.PHONY: help tools local local-down test test-unit test-long test-engine test-e2e bench lint format docs vllm-release clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

tools: ## set up what is missing: .venv, the Pulumi CLI, its plugin; the other targets do it too
	@scripts/setup.sh

local: tools ## the main job without an account: local cloud, pulumi up, a real completion
	@.venv/bin/python -m scripts.local up

local-down: tools ## pulumi destroy, local cloud down, and a check that nothing is left
	@.venv/bin/python -m scripts.local down

test: tools ## all three floors of tests
	@$(RUN) python -m pytest $(SIDE_BY_SIDE) tests/e2e tests/engine tests/unit

test-unit: tools ## no process is started, no clock is looked at; well under a minute
	@$(RUN) python -m pytest $(ON_BOTH_CORES) tests/unit

test-long: tools ## what the other targets leave out because it is long by nature
	@$(RUN) python -m pytest $(ON_BOTH_CORES) -m long tests

test-engine: tools ## the real Pulumi engine against the local cloud
	@$(RUN) python -m pytest $(SIDE_BY_SIDE) tests/engine

test-e2e: tools ## real vLLM on the CPU
	@$(RUN) python -m pytest $(SIDE_BY_SIDE) tests/e2e

bench: tools ## calls, seconds and outages against what was promised, with real vLLM; about two hours
	@$(RUN) python -m benchmarks

lint: tools ## ruff, mypy --strict, shellcheck
	@$(RUN) scripts/lint.sh

format: tools ## let ruff format the Python files
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

docs: tools ## what is written from the code: settings in Pulumi.yaml and the README, docs/architecture.svg
	@$(RUN) python -m scripts.docs
	@$(RUN) python -m scripts.architecture

vllm-release: tools ## VERSION=0.33.0: lists of another vLLM, and what a person has to look at; docs/vllm-release.md
	@$(RUN) python -m scripts.vllm_release $(VERSION)

clean: ## take away what was set up here, after `make local-down` where there is a local stack
	@if [ -d .local ]; then $(MAKE) --no-print-directory local-down; fi
	rm -rf .local .tools .venv .mypy_cache .pytest_cache .ruff_cache
