# From a bare checkout to scored rollouts: `make demo`. Everything lives in .venv and is installed once.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Override any of these on the command line: make test PYTHON=python3.12 ARGS='-k typed'
PYTHON ?= python3.13 python3.12 python3.11 python3
ARGS ?=

# cpu or cuda; by default what the machine has. Without a GPU of NVIDIA nothing of CUDA is ever downloaded.
CAIRN_TORCH ?= $(if $(wildcard /proc/driver/nvidia/version),cuda,cpu)
TORCH := torch==2.13.0

VENV := .venv
PY := $(VENV)/bin/python
SERVE := $(VENV)/.serve
DEVELOP := $(VENV)/.develop
PACKAGES := rubric service trainer_client

.PHONY: help demo setup check test test-loops fuzz inspect k8s-check image-smoke bench soak serve lock clean

help: ## this list
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

demo: $(SERVE) ## start the service and score the example rollouts through it
	@$(PY) examples/demo.py $(ARGS)

setup: $(DEVELOP) ## everything for development, into .venv

check: $(DEVELOP) ## lint, format, types and the arrows between modules
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy $(PACKAGES)
	$(VENV)/bin/lint-imports --no-logo

test: $(DEVELOP) ## the whole test suite (ARGS='-k name' for a part)
	$(PY) -m pytest -n auto --maxprocesses 4 $(ARGS)

test-loops: $(DEVELOP) ## verl with our function, and slime's own tests (SLIME_ROOT=checkout)
	@PYTHON=$(PY) tests/loops/run_verl.sh $(ARGS)
	@if [ "$${SLIME_ROOT:-}" ]; then PYTHON=$(PY) tests/loops/run.sh $(ARGS); \
	else echo "NOT TESTED: slime (SLIME_ROOT=/path/to/a/checkout)"; fi

fuzz: $(DEVELOP) ## look for inputs that break the pure core (ARGS='exact --runs 5000000')
	$(PY) -m tests.fuzz.run --runs 2000000 --seed 0 --keep .fuzz $(ARGS)

bench: $(DEVELOP) ## measure (ARGS names the question; none lists them)
	@$(PY) benchmarks/run.py $(ARGS)

inspect: $(SERVE) ## the service with its inspector, at http://127.0.0.1:8000/#example
	@echo "Look at http://127.0.0.1:$${CAIRN_PORT:-8000}/#example (Ctrl-C ends it)"
	@CAIRN_EMBEDDING_MODEL=builtin CAIRN_PROFILE=balanced CAIRN_INSPECTOR_KEEP=100 $(PY) -m service.cli serve $(ARGS)

soak: $(DEVELOP) ## half an hour of load with faults thrown at random (ARGS='--minutes 5')
	@$(PY) benchmarks/soak.py $(ARGS)

k8s-check: $(DEVELOP) ## would Kubernetes take the manifests? (needs kubectl, npm, node)
	@PYTHON=$(abspath $(PY)) deploy/k8s/check.sh

image-smoke: $(SERVE) ## build an image without Docker, run it and score with it (root, Debian; ARGS=cpu)
	@$(PY) deploy/image/smoke.py $(ARGS)

serve: $(SERVE) ## run the service; settings come from CAIRN_*
	@$(PY) -m service.cli serve $(ARGS)

# A second run moves nothing; ARGS=--upgrade takes the newest versions.
lock: $(DEVELOP) ## pin the two sets of requirements again
	$(call pin,--extra server --extra builtin --extra redis --extra embed --extra dev,develop.lock)
	$(call pin,--extra server --extra builtin --extra redis --constraint requirements/develop.lock,serve.lock)
	@deploy/image/lock.sh

clean: ## remove .venv and what the tools left behind
	rm -rf $(VENV) build dist .fuzz .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find $(PACKAGES) tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The development set holds the serving set in the same versions, so either may come first.
$(SERVE): requirements/serve.lock pyproject.toml | $(VENV)/.made
	@$(call install,serve.lock,to serve)
	@touch $@

$(DEVELOP): requirements/develop.lock pyproject.toml | $(VENV)/.made
	@$(call install,develop.lock,to develop)
	@touch $(SERVE) $@

$(VENV)/.made:
	@$(choose_python)
	@touch $@

pin = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command 'make lock' $(ARGS) pyproject.toml --group build $(1) --no-emit-package torch \
	--constraint <(echo $(TORCH)) --output-file requirements/$(2)

# Takes the first Python that really runs (a version manager's stand-in may not) and can make an environment.
define choose_python
missing=; old=; \
for python in $(PYTHON); do \
	version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	case $$version in 3.11|3.12|3.13|3.14) ;; *) old="$$python is Python $$version"; continue;; esac; \
	"$$python" -c 'import ensurepip, venv' 2>/dev/null || { missing=$${missing:-$$version}; continue; }; \
	echo "Making $(VENV) with Python $$version ($$(command -v "$$python"))"; \
	"$$python" -m venv --clear $(VENV); exit 0; \
done; \
if [ "$$missing" ]; then \
	echo "Python $$missing cannot make virtual environments here: apt-get install python$$missing-venv" >&2; \
else \
	echo "Cairn needs Python 3.11 to 3.14$${old:+ ($$old)}: apt-get install python3 python3-venv," \
		"or name one with PYTHON=/path/to/python3" >&2; \
fi; exit 1
endef

# One line that moves in a terminal, two that stand in a log; what pip says about itself is shown when it fails.
# Wheels only, each checked against its hash, and nothing besides. Byte code is left to the first import, which
# writes only what is used.
define install
total=$$(grep -c '==' requirements/$(1)); count=0; SECONDS=0; \
echo "Installing $$total pinned packages $(2) (the first time may take a minute)"; \
PYTHONUNBUFFERED=1 $(PY) -m pip install --disable-pip-version-check --no-input --progress-bar off --no-compile \
	--only-binary :all: --no-deps --require-hashes --requirement requirements/$(1) 2>$(VENV)/pip.log \
| while read -r word name rest; do \
	case $$word in \
		Collecting|Requirement|Ignoring) count=$$((count + 1)); line="$$count of $$total";; \
		Downloading) line="$$count of $$total: $$name $$rest";; \
		Installing) line="unpacking";; \
		*) continue;; \
	esac; \
	if [ -t 1 ]; then printf '\r\033[K  %s' "$$line"; fi; \
done || { cat $(VENV)/pip.log >&2; exit 1; }; \
if [ -t 1 ]; then printf '\r\033[K'; fi; \
$(torch_$(CAIRN_TORCH)); \
$(PY) -m pip install --disable-pip-version-check --quiet --no-build-isolation --no-deps --editable .; \
echo "Installed in $$SECONDS s"
endef

# The small build for CPUs where it can be had; else the plain release, without the packages of CUDA.
define torch_cpu
if ! $(PY) -c 'import torch' 2>/dev/null; then \
	echo "Installing $(TORCH) for CPUs"; \
	UV_HTTP_TIMEOUT=20 UV_HTTP_RETRIES=0 $(PY) -m uv pip install --quiet --python $(PY) --no-deps --torch-backend cpu \
		$(TORCH) 2>$(VENV)/torch.log || \
	$(PY) -m pip install --disable-pip-version-check --quiet --no-compile --no-deps --only-binary :all: $(TORCH); \
fi
endef

define torch_cuda
if ! $(PY) -c 'import torch; assert torch.version.cuda' 2>/dev/null; then \
	echo "Installing $(TORCH) with CUDA (some 3 GB)"; \
	$(PY) -m uv pip install --quiet --python $(PY) --torch-backend auto $(TORCH) 2>$(VENV)/torch.log || \
	$(PY) -m pip install --disable-pip-version-check --quiet --no-compile --only-binary :all: $(TORCH); \
fi
endef
