# The book. Two commands do all the set-up: make book, make test. The rest: make help.
SHELL := bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CHAPTERS := $(wildcard chapters/*.ipynb)
EXERCISES := $(wildcard exercises/*.ipynb)
TOOLS := $(wildcard book/*.ipynb)
NB ?= $(CHAPTERS) $(TOOLS) $(EXERCISES)
SOURCE ?= exercises/convolution.ipynb
SUBMISSIONS ?= tests/submissions
OUT ?= work/graded
NORMALISE := --keep-output --keep-count --keep-id --extra-keys "metadata.language_info cell.metadata.execution"
BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

# The same rounding in the run that stores an output and in the run that verifies it, on any machine.
# One thread each: two test workers would fight for the cores otherwise.
export ATEN_CPU_CAPABILITY := default
export OPENBLAS_CORETYPE := Haswell
export NPY_DISABLE_CPU_FEATURES := X86_V4 AVX512_ICL AVX512_SPR
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export PYTHONHASHSEED := 0
export TQDM_DISABLE := 1
export KERAS_HOME := $(CURDIR)/$(VENV)/keras
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help book test run exercises lab grade bench lint lock figures clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

book: $(STAMP)  ## build the book: book/_build/html/index.html
	@echo "== building the book (strict: any warning is an error)"
	@rm -rf book/_build/html book/_build/.doctrees
	@$(BIN)/jupyter-book build . --config book/_config.yml --toc book/_toc.yml --path-output book -n -W --keep-going
	@echo; echo "The book: file://$(CURDIR)/book/_build/html/index.html"

test: book  ## everything: package, notebooks, exercises, built pages
	@echo "== testing the package, the notebooks and the built pages"
	@$(BIN)/pytest -q -n 2 --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout 300 --nbval-sanitize-with tests/nbval_sanitize.cfg tests $(CHAPTERS) $(TOOLS) $(EXERCISES)
ifeq ($(BROWSER),)
	@echo; echo "!! THE PAGE TESTS DID NOT RUN: no Chromium on this machine."
	@echo "!! Install your system's package chromium and run make test again."
endif
ifeq ($(shell command -v bwrap),)
	@echo; echo "!! THE TESTS OF THE JAIL DID NOT RUN: no bubblewrap on this machine."
	@echo "!! Install your system's package bubblewrap (Linux) and run make test again."
endif

run: $(STAMP)  ## run notebooks and store their outputs: make run NB=chapters/05_convolution.ipynb
	@for nb in $(NB); do echo "== running $$nb"; $(BIN)/jupyter execute --inplace $$nb || exit 1; done
	@$(BIN)/nbstripout $(NORMALISE) $(NB)

exercises: $(STAMP)  ## make the starters anew from the sources, and hold every source against its wrong solutions
	@$(BIN)/python -m nnbook.grading release $(EXERCISES) exercises/starters
	@$(BIN)/python -m nnbook.grading check-source $(EXERCISES)

lab: $(STAMP)  ## read, run and solve in JupyterLab; your answers live in work/ and are never overwritten
	@mkdir -p work && cp -n exercises/starters/*.ipynb work/
	@env -u TQDM_DISABLE $(BIN)/jupyter lab

grade: $(STAMP)  ## grade the sample class, or yours: make grade SOURCE=exercises/X.ipynb SUBMISSIONS=folder OUT=folder
	@env -u TQDM_DISABLE $(BIN)/nnbook grade $(SOURCE) $(SUBMISSIONS) -o $(OUT) $(ARGS)

bench: $(STAMP)  ## nnbook and torch side by side, in one process
	@env -u OPENBLAS_CORETYPE -u NPY_DISABLE_CPU_FEATURES -u ATEN_CPU_CAPABILITY $(BIN)/python benchmarks/against_torch.py

figures: $(STAMP)  ## draw the front figure, the equation index and the index of the README anew
	@$(BIN)/python book/make_figures.py && $(BIN)/python book/make_index.py

lint: $(STAMP)  ## ruff over modules and notebooks, mypy over the package
	@$(BIN)/ruff check
	@$(BIN)/mypy

lock: $(STAMP)  ## requirements.in -> requirements.txt, every version pinned
	@$(BIN)/pip-compile --quiet --upgrade --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--strip-extras --allow-unsafe --annotation-style=line -o requirements.txt requirements.in
	@sed -i.bak 's/^\(torch==[0-9.]*\)+[a-z0-9]*/\1/' requirements.txt && rm requirements.txt.bak
	@(echo "# Made by 'make lock' from requirements.in, which says what each direct dependency is for."; \
		cat requirements.txt) > requirements.new && mv requirements.new requirements.txt

clean:  ## remove the built book and the virtual environment
	rm -rf book/_build $(VENV)

$(STAMP): requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Missing: $(PYTHON). Install Python 3.11 or newer, or say make PYTHON=/path/to/python."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Too old: $(PYTHON) is $$($(PYTHON) -V). The book needs Python 3.11 or newer: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Missing: Python's venv module. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "== making $(VENV) and installing what requirements.txt pins (about 2.5 GB of disk, a few minutes the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --progress-bar off -r requirements.txt | sed -n '/^Collecting\|^Installing\|^Successfully/p' \
		&& $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e . \
		|| { echo "The installation failed: pip's message above says why. It needs the network, to reach the package index."; exit 1; }
	@touch $@
