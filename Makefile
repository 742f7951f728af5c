# The verbs. Each does its own set-up: a virtual environment from requirements.lock.
# What else a verb should know goes into ARGS: `make run ARGS="--force"`.
SHELL := /bin/bash
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint requirements.lock --editable
export DO_NOT_TRACK := 1

.PHONY: run repro engines heatmaps clusters test nightly bench lint serve lock clean

run: .venv/pipeline ## run the whole pipeline and end with the verdict; PRESET=scarce takes presets/scarce.yaml
	@$(BIN)/python -m flows.pipeline $(if $(PRESET),--preset $(PRESET)) $(ARGS)

repro: .venv/pipeline ## the same stages through DVC alone
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro $(ARGS)

serve: .venv/pipeline ## a local Prefect server with its UI, and the scheduled deployment
	@$(BIN)/python -m flows.serve $(ARGS)

engines: .venv/pipeline ## what MINTMARK_ENGINE=dask and MINTMARK_ENGINE=ray need
	@$(INSTALL) ".[pipeline,dask,ray]"

heatmaps: .venv/pipeline ## where pictures differ from good ones: make heatmaps GOOD=folder MIXED=folder OUT=folder
	@$(if $(and $(GOOD),$(MIXED),$(OUT)),,$(error expected GOOD=folder MIXED=folder OUT=folder))
	@$(BIN)/python -m tasks.heatmaps "$(GOOD)" "$(MIXED)" "$(OUT)" $(ARGS)

clusters: .venv/pipeline ## groups of pictures, series or table rows: make clusters RECORDS=file OUT=folder ARGS="--clusters 5"
	@$(if $(and $(RECORDS),$(OUT)),,$(error expected RECORDS=file OUT=folder))
	@$(BIN)/python -m tasks.clusters "$(RECORDS)" "$(OUT)" $(ARGS)

test: .venv/test ## every test; three at a time, since many wait for servers
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --durations 40 $(ARGS)

nightly: .venv/test ## the tests that take minutes to hours
	@$(BIN)/python -m pytest -m nightly --timeout 7200 $(ARGS)

bench: .venv/test ## one claim measured beside its alternative: make bench NAME=orchestration
	@$(BIN)/python -m bench.$(NAME) $(if $(DATA),--data $(DATA)) $(ARGS)

lint: .venv/lint ## style and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright

lock: .venv/lint ## pin every version again
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --all-extras --python $(BIN)/python --no-header --no-annotate --quiet --output-file requirements.lock
	@sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements.lock

clean: ## forget the environment, never the data
	@rm -rf .venv

.venv/python:
	@python3 -m venv .venv
	@touch $@

.venv/pipeline: .venv/python pyproject.toml requirements.lock
	@echo "installing what the pipeline needs (once)"
	@$(INSTALL) ".[pipeline]"
	@touch $@

.venv/test: .venv/pipeline
	@$(INSTALL) ".[pipeline,dask,ray,test]"
	@touch $@

.venv/lint: .venv/test
	@$(INSTALL) ".[pipeline,dask,ray,test,lint]"
	@touch $@
