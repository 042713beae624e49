PYTHON ?= python3
VENV := .venv
RUN := runs/demo

.PHONY: demo test lint browser fuzz dist wheel-test matrix

demo: $(VENV)/installed
	rm -rf $(RUN)
	$(VENV)/bin/lmms-eval --model pixfound --model_args pretrained=pixfound/mini --tasks pixmini \
		--output_path $(RUN) --log_samples
	$(VENV)/bin/pixfound report $(RUN)

test: $(VENV)/installed-dev browser
	$(VENV)/bin/python -m pytest --numprocesses auto --dist loadfile

# The tests that look at pages skip without one.
browser:
	@command -v chromedriver >/dev/null || { [ `id -u` = 0 ] && command -v apt-get && apt-get update -qq && \
		timeout 180 apt-get install -qq --no-install-recommends chromium chromium-driver; } >/dev/null 2>&1 || true

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# Half a minute for each reader of untrusted input: SECONDS=300 for more. What breaks one is kept in fuzz/.
SECONDS ?= 30
fuzz: $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --editable '.[fuzz]'
	$(VENV)/bin/python perf/fuzz.py --seconds $(SECONDS)

# The same bytes from the same sources, also without SOURCE_DATE_EPOCH.
dist: $(VENV)/installed-dev
	rm -rf dist
	$(VENV)/bin/python -m hatchling build

# The built wheel in a clean environment; and in all that the README's support table lists. Neither is for CI.
wheel-test: $(VENV)/installed-dev
	$(VENV)/bin/python .ci/matrix.py --here

matrix: $(VENV)/installed-dev
	$(VENV)/bin/python .ci/matrix.py

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --editable '.[test,dev]'
	touch $@
