# One word per chore. Each first installs what it lacks into .venv of this checkout where there is one, else into
# the python3 at hand; a python3 that belongs to the operating system is left alone and gets a .venv beside it.

OF_SYSTEM := $(shell python3 -c "import os, sys, sysconfig as s; print('yes' if sys.prefix == sys.base_prefix \
	and os.path.exists(os.path.join(s.get_path('stdlib'), 'EXTERNALLY-MANAGED')) else '')")
PYTHON := $(if $(wildcard .venv/bin/python)$(OF_SYSTEM),.venv/bin/python,python3)

# $(call need,EXTRAS): install this checkout with its extras, unless the environment's note says that it is there.
# The note's key changes with the place of the checkout and with what it asks for.
define need
@key=$$( (pwd; cat pyproject.toml setup.py constraints.txt) | cksum | tr -d ' '); \
note="$$($(PYTHON) -c "import sysconfig; print(sysconfig.get_path('purelib'))")/pointlabel-installed.txt"; \
if ! grep -qs "^$$key:$(1)" "$$note"; then \
	echo "installing pointlabel$(if $(1),[$(1)])"; \
	$(PYTHON) -m pip install --quiet -c constraints.txt -e ".$(if $(1),[$(1)])" || exit 1; \
	( grep -qs "^$$key:" "$$note" || : > "$$note"; echo "$$key:$(1)" >> "$$note" ) 2>/dev/null || true; \
fi
endef

comma := ,
# Workers share the processors, so that each keeps to one thread.
PYTEST = OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --maxprocesses 4 --dist worksteal
.DEFAULT_GOAL := help
.PHONY: help demo test slow lint format docs bench clean

help:  ## this list
	@sed -nE 's/^([a-z]+):[^#]*## */  make \1\t/p' Makefile

demo: | $(filter .venv/%,$(PYTHON))  ## draw a small data set, annotate it, score the masks
	$(call need,)
	@$(PYTHON) benchmarks/demo.py demo-out

test: | $(filter .venv/%,$(PYTHON))  ## the test suite, but for what takes long
	$(call need,dev$(comma)train$(comma)sam$(comma)onnx$(comma)tensorboard$(comma)web$(comma)video)
	$(PYTEST) -m "not slow"

slow: | $(filter .venv/%,$(PYTHON))  ## the tests that take long: whole training runs, every export, Ray, S3
	$(call need,dev$(comma)train$(comma)sam$(comma)onnx$(comma)tensorboard$(comma)web$(comma)video$(comma)slow)
	$(PYTEST) -m slow

lint: | $(filter .venv/%,$(PYTHON))  ## ruff and mypy
	$(call need,dev$(comma)train$(comma)sam$(comma)onnx$(comma)tensorboard$(comma)web$(comma)video)
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy pointlabel cli tests benchmarks tools docs/tables docs/pictures.py docs/serve_pictures.py

format: | $(filter .venv/%,$(PYTHON))  ## let ruff mend what it can
	$(call need,dev$(comma)train)
	$(PYTHON) -m ruff check --fix
	$(PYTHON) -m ruff format

docs: | $(filter .venv/%,$(PYTHON))  ## the documentation into site/, strict
	$(call need,docs)
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

bench: | $(filter .venv/%,$(PYTHON))  ## every benchmark that needs no more than what is here
	$(call need,dev$(comma)train)
	@set -e; for script in $(subst /,.,$(basename $(sort $(wildcard benchmarks/speed/*.py)))) benchmarks.accuracy.calibration; do \
		echo "== $$script"; $(PYTHON) -m $$script; done

clean:  ## remove what the chores made, but for .venv
	rm -rf site demo-out build .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	python3 -m venv .venv
