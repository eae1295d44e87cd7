# The commands of everyday use. They run in .venv, which they make on first use.

PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

# Whatever a rule or a test starts finds the environment's programs first.
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Snakemake keeps caches in the home folder, or here if that cannot be written to.
CACHES := $(shell folder="$${XDG_CACHE_HOME:-$$HOME/.cache}/snakemake"; \
	mkdir -p "$$folder" 2>/dev/null && test -w "$$folder" && echo usable)
ifneq ($(CACHES),usable)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/caches
endif

.DEFAULT_GOAL := help
.PHONY: help demo test why lint benchmark clean

help:
	@echo "make demo    train and evaluate a small CLIP on rendered scenes (about 5 minutes)"
	@echo "make test    run the tests"
	@echo "make why     say which jobs would run, and for which changed setting or function"
	@echo "make lint    check style, spelling and types: ruff, snakefmt, codespell, mypy, snakemake --lint"
	@echo "make benchmark  time relevance jobs against bare forward passes (about 8 minutes)"
	@echo "make clean   delete what runs made in data/, results/, logs/, benchmarks/; list the rest"
	@echo
	@echo "CORES=$(CORES) sets how many cores demo uses, PYTHON=$(PYTHON) what makes $(VENV),"
	@echo "ARGS what snakemake gets in why: make why ARGS='--config dataset=scenes'."

# A job loads its model for some seconds in one thread: two jobs side by side are done earlier than
# one after the other on two threads.
DEMO_THREADS := $(addsuffix =1,compute_relevance measure_effects measure_similarities \
	measure_removal)

demo: $(READY)
	$(BIN)/snakemake --cores $(CORES) --config dataset=scenes --set-threads $(DEMO_THREADS)
	@echo
	@echo "The figures are in results/scenes/figures/, the numbers in results/scenes/summary.csv,"
	@echo "phrases to browse in results/scenes/gallery/index.html."

# A file's tests run in one process; with more than four processes they would wait for the disk.
test: $(READY)
	$(BIN)/pytest --numprocesses=$(CORES) --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

why: $(READY)
	@$(BIN)/snakemake --dry-run $(ARGS) 2>&1 | $(BIN)/python workflow_scripts/why.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/snakemake --lint

# With nothing else running: it keeps all cores busy. Results: benchmarks/performance.json.
benchmark: $(READY)
	$(BIN)/python tests/benchmarks/relevance.py

# Downloads, the environment and whatever no run made stay.
clean:
	@$(if $(wildcard $(READY)),$(BIN)/python,$(PYTHON)) workflow_scripts/clean.py

$(READY): requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is not:" \
			"name one with make PYTHON=/path/to/python" >&2; \
		exit 1; \
	}
	@echo "installing into $(VENV) (once; a few minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@
