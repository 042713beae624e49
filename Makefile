PYTHON ?= python3
VENV := .venv
RUN := runs/demo

.PHONY: demo test lint

demo: $(VENV)/installed
	rm -rf $(RUN)
	$(VENV)/bin/lmms-eval --model pixfound --model_args pretrained=pixfound/mini --tasks pixmini \
		--output_path $(RUN) --log_samples
	$(VENV)/bin/pixfound report $(RUN)

test: $(VENV)/installed-dev
	$(VENV)/bin/python -m pytest

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --editable '.[test,dev]'
	touch $@
