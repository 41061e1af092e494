# Everything a newcomer needs. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON := .venv/bin/python
.PHONY: help setup lock run stop test test-containers test-cluster test-long lint protos checkov bench image clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## install what is missing into .venv and generate the API code
	@sh tools/setup.sh

lock: setup ## pin the dependencies of pyproject.toml anew, with hashes
	@$(PYTHON) -m tools.lock

run: setup ## start the platform, carry out one exchange, show it, leave it running
	@.venv/bin/crossroads up --demo

stop: setup ## stop the platform of this clone, and only that
	@.venv/bin/crossroads down

test: setup ## run every test but the long campaigns
	@$(PYTHON) -m pytest -n 2 --dist loadgroup -m "not long and not cluster"

test-containers: setup ## run what needs a server against containers (testcontainers; Docker or podman)
	@$(PYTHON) -m pytest -n 2 --dist loadgroup -m "not long and not cluster" --servers=containers -rs tests/contract tests/integration tests/charts/test_server.py

test-cluster: setup ## install the charts in the cluster that KUBECONFIG names, try them, remove them
	@$(PYTHON) -m pytest -m cluster -rs tests/cluster

test-long: setup ## run the long campaigns
	@$(PYTHON) -m pytest -n 2 --dist loadgroup -m long

lint: setup ## style, types, import rules, protos, and what would break a caller
	@$(PYTHON) -m tools.lint

protos: setup ## generate the API code from protos/
	@$(PYTHON) -m tools.protos generate
	@$(PYTHON) -m tools.sensitivity
	@$(PYTHON) -m tools.placement

checkov: setup ## look for misconfiguration in the rendered charts (installs checkov the first time)
	@sh tools/checkov.sh
	@$(PYTHON) -m pytest -q tests/charts/test_checkov.py

bench: setup ## measure the exchange beside a bare proxy, the decision beside Cedar, the log beside PostgreSQL
	@.venv/bin/crossroads bench exchange
	@.venv/bin/crossroads bench decide
	@.venv/bin/crossroads bench log

image: setup ## build the container image with buildah (BASE=… names the base image)
	@sh tools/image.sh

clean: ## remove what setup made (not the data in .crossroads/)
	@rm -rf .venv .generated .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
