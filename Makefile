PYTHON ?= python3
VENV := .venv
RUN := runs/demo

.PHONY: demo test lint browser fuzz dist wheel-test matrix canary coverage-models lock

# One thread: the models are so small that more are slower, and sums then have the same order on every machine.
demo: export OMP_NUM_THREADS := 1
demo: $(VENV)/installed
	rm -rf $(RUN) $(RUN)-attention
	$(VENV)/bin/lmms-eval --model pixfound --model_args pretrained=pixfound/mini,reducer=heads --tasks pixmini \
		--output_path $(RUN) --log_samples
	$(VENV)/bin/lmms-eval --model pixfound_pixel --model_args pretrained=pixfound/mini-seg --tasks pixmini \
		--output_path $(RUN) --log_samples
	$(VENV)/bin/lmms-eval --model pixfound_pixel \
		--model_args pretrained=pixfound/mini-seg,grounding=attention,reducer=heads --tasks pixmini_ground \
		--output_path $(RUN)-attention --log_samples
	@echo 'Supervised with masks or not: answering and grounding, then the grounding of both by attention'
	$(VENV)/bin/pixfound compare $(RUN) $(RUN) --model-a pixfound/mini --model-b pixfound/mini-seg --brief
	$(VENV)/bin/pixfound compare $(RUN) $(RUN)-attention --model-a pixfound/mini --brief
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
	$(INSTALL) --editable '.[fuzz]'
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

# The newest releases of all dependencies, within the bounds and without the upper ones. Names the one that breaks it.
canary: $(VENV)/installed-dev
	$(VENV)/bin/python .ci/canary.py

# Every image-text-to-text architecture of the installed transformers, in miniature: half an hour on one core. Fails if
# recorded attention or a token's place is wrong. NEWEST=yes upgrades transformers before, PAGE names another file.
PAGE ?= docs/coverage.md
coverage-models: $(VENV)/installed-dev
	$(if $(NEWEST),$(PIP) install --quiet --upgrade transformers)
	$(VENV)/bin/python perf/coverage_models.py --write $(PAGE)

# The newest versions that the bounds allow, of all that the repository installs; then those that reading runs needs.
# A constraints file in pip's own configuration holds here too. Asks nothing of the lock there is: that may not install.
COMPILE = UV_CONSTRAINT=$$($(PIP) config --global get global.constraint 2>/dev/null) \
	$(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.10 --prerelease disallow \
	--no-annotate --no-header
# All extras but those of other harnesses.
LOCKED = --extra spacy --extra look --extra test --extra fuzz --extra dev
lock: $(VENV)/bin/python
	$(PIP) install --quiet uv
	$(COMPILE) $(LOCKED) --output-file constraints.txt pyproject.toml
	$(COMPILE) --group report --constraint constraints.txt --output-file requirements-report.txt

PIP = $(VENV)/bin/python -m pip
INSTALL = $(PIP) install --quiet --constraint constraints.txt --build-constraint constraints.txt

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --quiet --constraint constraints.txt pip
	$(INSTALL) --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) --editable '.[test,dev]'
	touch $@
