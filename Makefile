# make demo: see the main job. make test: set everything up and test it; make test-fast leaves out the test cluster.
# make cluster: run the test cluster until Ctrl-C; standard output has the line to evaluate, once all of it is ready.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet install -c constraints.txt

.PHONY: demo test test-fast cluster lint tools bench docs clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/python tools/demo.py

test: $(VENV)/.installed-test tools
	$(BIN)/python -m pytest -n auto --dist loadgroup $(PYTEST)

test-fast: $(VENV)/.installed-test
	$(PYTHON) tools/build.py age external-secrets gitleaks gjson kubeseal kustomize sops
	$(BIN)/python -m pytest -n auto --dist loadgroup -m 'not cluster' $(PYTEST)

cluster:
	@$(MAKE) $(VENV)/.installed-test tools >&2
	@exec $(BIN)/python -m tests.cluster

lint: $(VENV)/.installed-lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/docs.py --check

tools:
	$(PYTHON) tools/build.py

bench: $(VENV)/.installed-test tools
	$(BIN)/python -m benchmarks

docs: $(VENV)/.installed
	$(BIN)/python tools/docs.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python setup.cfg pyproject.toml constraints.txt
	$(PIP) -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) -e '.[test]'
	touch $@

$(VENV)/.installed-lint: $(VENV)/.installed-test
	$(PIP) -e '.[test,lint]'
	touch $@

clean:
	rm -rf $(VENV) .tools build *.egg-info
