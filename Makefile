# make demo   audit spoken digits that this machine makes itself, and write runs/demo/report.html
# make test   everything that must hold: style, types, floors of the house, tests
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --disable-pip-version-check -c constraints.txt
WORKERS ?= auto

.PHONY: demo test clean

demo: $(VENV)/.installed
	$(VENV)/bin/beyondrate audit spoken-digits --preset quick --out runs/demo --resume

test: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check src tests benchmarks examples
	$(VENV)/bin/ruff format --check src tests benchmarks examples
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python -m pytest -n $(WORKERS) --durations 10

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e ".[speech]"
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e ".[speech,audio,dev]"
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) runs
