# Everything a person does with this repository. `make help` lists it.
PYTHON ?= python3
TOOLS  := .tools
UV     := $(TOOLS)/bin/uv
BIN    := .venv/bin
export UV_PROJECT_ENVIRONMENT := .venv

.DEFAULT_GOAL := help
.PHONY: help setup run test chaos chaos-long chaos-planted simulate failpoints limits-long bench lint types contracts proto proto-check reference format up down images test-compose clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@$(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/pip install --quiet --disable-pip-version-check 'uv==0.13.9'

# The stamp is what makes a second `make` start at once.
.venv/.ready: uv.lock pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml | $(UV)
	@echo "Installing into .venv; the first time this takes a minute or two."
	@$(UV) sync --quiet --frozen --all-packages --all-extras --python $(PYTHON)
	@touch $@

setup: .venv/.ready ## install everything into .venv

run: setup ## the main job: a workflow, end to end, on the three services
	@$(BIN)/lightflowctl run simple

test: setup lint types contracts proto-check ## the whole suite, on a real redis and a real MongoDB
	@$(BIN)/pytest -n 2 --dist loadfile

SECONDS ?= 600
simulate: setup ## random schedules of faults on simulated services, for SECONDS (600)
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.simulation --seed $$(date +%s) --schedules 1000000 --seconds $(SECONDS)

failpoints: setup ## every fault at every step of real services
	@FAILPOINTS=all $(BIN)/pytest tests/failpoints

chaos: setup ## break everything while it works, for about two minutes; SEED=N repeats one
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED))

chaos-long: setup ## the same with the real times, for DURATION (1h)
	@$(BIN)/python -m tests.chaos --duration $(or $(DURATION),1h) $(if $(SEED),--seed $(SEED))

chaos-planted: setup ## bugs planted in real services, one after the other; the chaos must find each
	@$(BIN)/python -m tests.chaos --plant-each $(if $(SEED),--seed $(SEED))

limits-long: setup ## floods, restarts and growth at full size, for an hour or more; make test has them small
	@LIGHTFLOW_LIMITS=long $(BIN)/pytest tests/limits

bench: setup ## time the system beside a bare Celery worker, and draw how its costs grow, for about ten minutes
	@$(UV) sync --quiet --frozen --all-packages --all-extras --group bench --python $(PYTHON)
	@$(BIN)/python -m tests.benchmarks --json bench.json
	@$(BIN)/python -m tests.benchmarks.growth --picture growth.svg

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup
	@$(BIN)/mypy

contracts: setup
	@$(BIN)/lint-imports

format: setup ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

proto: setup ## generate the stubs from proto/ again
	@$(BIN)/python tools/generate_stubs.py

proto-check: setup
	@$(BIN)/python tools/generate_stubs.py --check

reference: setup ## generate docs/api and the tables of docs/configuration.md from the code again
	@$(BIN)/python tools/generate_reference.py
	@$(BIN)/python tools/generate_api.py

up: setup ## a system in this folder, in the background
	@$(BIN)/lightflowctl up --detach

down: setup ## stop it
	@$(BIN)/lightflowctl down

images: ## build the images of the three services; BASE=... for another base image
	@deploy/images.sh

test-compose: setup ## build the images and break a system of containers in every way; needs a container engine
	@LIGHTFLOW_COMPOSE=all $(BIN)/pytest tests/compose

clean: ## remove what setup and runs made
	@rm -rf .venv $(TOOLS) .lightflow .mypy_cache .ruff_cache .pytest_cache .hypothesis
