# One word each: `make run` shows the product, `make test` proves a change.
PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
MEMBERS := kuchipaku libs services training
CHECKED := $(MEMBERS) scripts benchmarks tests

.PHONY: run up install test test-full lint format protos bench bench-gpu rhubarb loadtest images deploy-check train-starter setup dev help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: ## Install what the product needs into .venv
	@scripts/setup.sh run

install: setup ## Install extras, as EXTRAS="imagegen[diffusion] pose[export]"
	@scripts/setup.sh run $(EXTRAS)

dev: ## Install what development needs as well
	@scripts/setup.sh dev

run: setup ## Draw a character and make it say hello: out/hello.mp4
	@$(PYTHON) -m kuchipaku demo

up: setup ## Serve all five services on 127.0.0.1
	@$(PYTHON) -m kuchipaku up

test: dev ## The tests that every change has to pass
	$(PYTEST) -m "not slow"

test-full: dev ## All tests
	$(PYTEST)

lint: dev ## Style, types, protos
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy $(CHECKED)
	npx --no-install buf lint
	npx --no-install buf format --diff --exit-code
	$(PYTHON) scripts/protos.py --check
	$(PYTHON) scripts/docs.py --check

format: dev ## Format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	npx --no-install buf format --write

protos: dev ## Generate the Python stubs from protos/
	$(PYTHON) scripts/protos.py

bench: dev ## Print the figures that the documentation quotes
	for script in $(filter-out %_gpu.py,$(wildcard benchmarks/*.py)); do $(PYTHON) $$script || exit 1; done

bench-gpu: ## Pose models on the GPU, or whatever this machine has, within ten minutes
	$(PYTHON) benchmarks/pose_gpu.py

rhubarb: setup ## Install the pinned Rhubarb Lip Sync into build/rhubarb
	@$(PYTHON) scripts/rhubarb.py

loadtest: setup ## Load this machine with live sessions: out/loadtest (LOADTEST="--mix distinct --search")
	@$(PYTHON) -m kuchipaku loadtest $(LOADTEST)

images: ## Build the container images (CONTAINER_TOOL=podman; TARGETS, TAG, BASE_IMAGE)
	@deploy/docker/build.sh $(TARGETS)

deploy-check: dev ## Check Dockerfile and Kubernetes manifests
	$(PYTEST) tests/deploy -m "not slow"

train-starter: ## Draw the data, train and export the starter models (hours; resumes); others as MODELS="diffusion gan"
	@scripts/train.sh $(MODELS)
