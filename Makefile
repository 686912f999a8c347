# make help: what there is. Everything runs in .venv, which the first call makes.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# An index of torch's CPU build, for machines without a GPU: see README.md.
TORCH_INDEX ?=
# DVC's plug-ins for remotes, see docs/remotes.md: make setup EXTRAS=s3,ssh
EXTRAS ?=
export PATH := $(CURDIR)/$(BIN):$(PATH)
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help setup extras run test check demo bench cross-validation judge base samples docs hooks soak pins clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/' | expand -t 24

setup: $(READY) $(if $(EXTRAS),extras) ## make .venv and install the pinned environment; EXTRAS=s3,ssh adds remotes

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Error: $(PYTHON) is older than 3.11; name another: make setup PYTHON=python3.12"; exit 1; }
	@echo "setting up .venv (a few minutes the first time)"
	@$(PYTHON) -m venv .venv
	@rm -f .venv/.installed
	@{ $(BIN)/python -m pip install --progress-bar off --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --requirement requirements.lock 2>&1 && touch .venv/.installed; } | $(PYTHON) pipeline/setup_progress.py requirements.lock .venv/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@
	@echo "ready: source .venv/bin/activate gives you graft and dvc; make hooks has git check tags and commit subjects"

extras: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --constraint requirements.lock --constraint requirements-remotes.lock --editable '.[$(EXTRAS)]'

run: setup ## the main job: dvc repro on the open increment, then the verdict
	@$(BIN)/python -m pipeline.run

test: setup ## every test but the slow ones
	@$(BIN)/python -m pytest

check: setup ## ruff, types, schemas, workflows
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/check-jsonschema --check-metaschema schemas/*.json
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/actionlint -shellcheck= -pyflakes=
	@$(BIN)/zizmor --offline --quiet --persona pedantic .github/workflows

demo: setup ## the whole life in a throw-away clone: release, add, refuse, roll back
	@$(BIN)/python -m examples.demo

bench: setup ## the side-by-side scripts; each ends with one line of JSON
	@for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

cross-validation: setup ## train and evaluate the open increment's records in FOLDS=5 parts, for small sets
	@$(BIN)/python -m pipeline.cross_validation --folds $(or $(FOLDS),5)

judge: setup ## ask evaluate.judge for the scores that are missing, or list the answers for people to rate
	@$(BIN)/python -m pipeline.evaluation.llm_judge.judge

base: setup ## build the embedded base again from params.yaml's base.corpus
	@$(BIN)/python -m pipeline.model.embedded.base_build

samples: setup ## write examples/corpus and examples/increments again
	@$(BIN)/python -m examples.generate

docs: setup ## write the generated pages: docs/cli.md, docs/modules.md
	@$(BIN)/python docs/generate.py

hooks: ## ask git to check a release's tag before it is pushed, and subjects of commits to Graft
	@git config core.hooksPath .githooks
	@echo "git now checks a v* tag before it is pushed, and the subject of a commit that touches Graft; undo: git config --unset core.hooksPath"

soak: setup ## the slow tests: longer variants, and kills of every command at random moments (hours)
	@$(BIN)/python -m pytest -m slow

pins: ## write the two requirements locks from pyproject.toml (installs into a fresh folder)
	@rm -rf .venv-pins && $(PYTHON) -m venv .venv-pins
	@.venv-pins/bin/python -m pip install --quiet $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) setuptools '.[dev]'
	@{ echo "# The whole environment, one version each: \`make pins\` writes it from pyproject.toml."; \
	   echo "# Versions carry no local suffix, so the same file fits torch's CPU and CUDA builds."; \
	   .venv-pins/bin/python -m pip freeze --all --exclude graft-models --exclude pip | sed -E 's/\+[a-z0-9.]+$$//; /^(nvidia|triton|cuda)/d' | LC_ALL=C sort -f; } > requirements.lock
	@.venv-pins/bin/python -m pip install --quiet --constraint requirements.lock '.[azure,gs,labels,lm-eval,s3,ssh,webdav]'
	@{ echo "# What the extras bring, one version each, beside requirements.lock: \`make pins\` writes it."; \
	   echo "# Constraints: make setup EXTRAS=s3,ssh installs what those extras need and nothing else."; \
	   .venv-pins/bin/python -m pip freeze --all --exclude graft-models --exclude pip | sed -E 's/\+[a-z0-9.]+$$//; /^(nvidia|triton|cuda)/d' | grep -vxFf requirements.lock | LC_ALL=C sort -f; } > requirements-remotes.lock
	@rm -rf .venv-pins

clean: ## remove the environment and caches of tools; data, models and DVC's cache stay
	@rm -rf .venv .venv-pins .mypy_cache .ruff_cache .pytest_cache *.egg-info
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
