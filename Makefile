# inspector. `make` alone lists the targets; each of them does the set-up it needs.
#
# Variables:
#   FIXTURES="hello bss_tail"        the fixtures that check looks at; all of them if not given
#   INSPECT_FLAGS="--until exec"     more options for `inspector check`
#   PYTEST_FLAGS="-k stack -x"       more options for pytest
#   FUZZ_SECONDS=60                  how long fuzz goes on, all targets together
#   FUZZ_TARGETS="program document"  what it throws bytes at; everything if not given
#   PYTHON=/path/to/python3          the Python that set-up makes .venv with
#   V=1                              show the commands

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
Q := $(if $(filter-out 0,$(V)),,@)
PY := .venv/bin/python

# Set-up writes down here which compiler and gdb it chose. make first brings an included file up to date, then
# starts over if that changed it: so every target but these three begins with set-up.
TOOLCHAIN := .venv/toolchain.mk
ifneq ($(filter-out help clean lock,$(MAKECMDGOALS)),)
include $(TOOLCHAIN)
endif

include fixtures/rules.mk
UNKNOWN := $(filter-out $(FIXTURE_NAMES),$(FIXTURES))
ifneq ($(UNKNOWN),)
$(error There is no fixture named $(UNKNOWN). The fixtures are: $(FIXTURE_NAMES))
endif
CHOSEN := $(filter-out $(NOT_BUILT),$(or $(strip $(FIXTURES)),$(FIXTURE_NAMES)))
CHOSEN_PATHS := $(addprefix $(BUILD)/,$(CHOSEN))

# The gdb from .venv is recorded relative to the checkout.
export INSPECTOR_GDB := $(if $(filter .venv/%,$(GDB)),$(CURDIR)/)$(GDB)
# zig keeps what it has compiled of its C library where set-up told it to.
export ZIG_GLOBAL_CACHE_DIR := $(CURDIR)/.venv/zig-cache

.PHONY: help setup fixtures build-fixtures check test lint bench fuzz golden catalogue screenshots corpus clean lock moved

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r target text; do \
	    printf '  make %-11s %s\n' "$$target" "$$text"; done

setup: ## make .venv, install the locked packages, find a compiler and gdb
	@printf 'set-up is done: compiler %s, gdb %s\n' '$(CC32)' '$(GDB)'

# The toolchain file keeps its time while it says the same, so that set-up alone builds no fixture anew.
# SETUP_USES are the programs that set-up chose: when one is gone, it looks again.
$(TOOLCHAIN): .venv/set-up ;
.venv/set-up: .ci/setup.sh pyproject.toml requirements.lock requirements-toolchain.lock $(sort $(SETUP_USES))
	$(Q).ci/setup.sh
$(sort $(SETUP_USES)): ;
# A .venv works only where it was made: after a move it is made again.
ifneq ($(shell cat .venv/root 2>/dev/null),$(CURDIR))
.venv/set-up: moved
endif

fixtures: ## compile the example programs into fixtures/build
	$(Q)$(MAKE) $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$$(nproc)) build-fixtures
	@for name in $(filter $(NOT_BUILT),$(or $(FIXTURES),$(FIXTURE_NAMES))); do \
	    printf 'not built: %s (%s cannot link it)\n' "$$name" '$(CC32_KIND)'; done
build-fixtures: $(CHOSEN_PATHS)
	@:

# Those that have arguments of their own come as a list.
check: fixtures ## predict the fixtures, run them under gdb, hold one against the other
	$(file >$(LIST),$(foreach name,$(filter $(WITH_ARGUMENTS),$(CHOSEN)),$(LIST_$(name))$(newline)))
	$(Q).venv/bin/inspector check $(INSPECT_FLAGS) $(filter-out $(addprefix %/,$(WITH_ARGUMENTS)),$(CHOSEN_PATHS)) \
	    $(if $(filter $(WITH_ARGUMENTS),$(CHOSEN)),--list $(LIST))

test: fixtures .venv/browser ## run the tests
	$(Q)$(PY) -m pytest $(PYTEST_FLAGS)

# What opens pages in the tests; where it cannot be had they are skipped.
.venv/browser: .ci/setup.sh requirements-browser.lock $(TOOLCHAIN)
	$(Q).ci/setup.sh browser

lint: $(TOOLCHAIN) ## check style, types and the direction of imports
	$(Q).venv/bin/ruff check
	$(Q).venv/bin/ruff format --check
	$(Q).venv/bin/mypy
	$(Q).venv/bin/lint-imports

# cle is what the speed of the prediction is measured against; nothing else needs it. So is qemu-i386-static, where
# Debian's qemu-user-static is installed.
bench: fixtures .venv/requirements-bench.lock ## measure speed and memory
	$(Q)CC32='$(CC32)' $(PY) -m tests.bench
.venv/requirements-bench.lock: requirements-bench.lock $(TOOLCHAIN)
	$(Q)$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	$(Q)cp $< $@

# atheris has packages for CPython on x86-64 with glibc only, so it is no part of set-up; elsewhere tests.fuzz says so.
FUZZ_SECONDS ?= 60
fuzz: .venv/requirements-fuzz.lock ## throw hostile bytes at whatever reads files
	$(Q)FUZZ_SECONDS='$(FUZZ_SECONDS)' $(PY) -m tests.fuzz $(FUZZ_TARGETS)
.venv/requirements-fuzz.lock: requirements-fuzz.lock $(TOOLCHAIN)
	$(Q)$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	$(Q)cp $< $@

golden: fixtures ## write the expected outputs of tests/golden anew
	$(Q)$(PY) -m pytest tests/golden --rewrite-golden

catalogue: $(TOOLCHAIN) ## bring the translations up to date with the texts in the code
	$(Q)$(PY) -m tests.catalogue

screenshots: fixtures .venv/browser ## make the pictures of the README from real runs
	$(Q)$(PY) -m tests.browser.screenshots

corpus: ## fetch programs made elsewhere for the live tests (minutes, a network)
	$(Q)bash tests/live/fetch_corpus.sh

clean: ## remove what was built; .venv stays
	$(Q)rm -rf $(BUILD) $(LIST) $(FILE_OF_32_PAGES) .fuzz .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	$(Q)find inspector tests -name __pycache__ -prune -exec rm -rf {} +

# For maintainers, with uv on the PATH: pin the newest versions that pyproject.toml allows.
LOCK = UV_CUSTOM_COMPILE_COMMAND='make lock' \
    uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-config
lock:
	$(Q)$(LOCK) --extra dev pyproject.toml -o requirements.lock
	$(Q)printf 'gdb-for-pwndbg\nziglang\n' | $(LOCK) --no-annotate - -o requirements-toolchain.lock
	$(Q)echo cle | $(LOCK) --constraints requirements.lock - -o requirements-bench.lock
	$(Q)printf 'playwright\naxe-playwright-python\n' | $(LOCK) --constraints requirements.lock - \
	    -o requirements-browser.lock
	$(Q)printf 'atheris%s and platform_machine == "x86_64" and sys_platform == "linux"\n' \
	    '>=3,<3.1 ; python_version < "3.12"' '>=3.1 ; python_version >= "3.12" and python_version < "3.15"' | \
	    $(LOCK) - -o requirements-fuzz.lock
