# The book: make book | make test. Everything else: make help.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CHAPTERS := $(wildcard chapters/*.ipynb)
EXERCISES := $(wildcard exercises/*.ipynb)
NB ?= $(CHAPTERS) $(EXERCISES)
NORMALISE := --keep-output --keep-count --keep-id --extra-keys "metadata.language_info cell.metadata.execution"

# The same rounding on every machine, in the run that stores an output and in the run that verifies it.
export ATEN_CPU_CAPABILITY := default
export OPENBLAS_CORETYPE := Haswell
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export PYTHONHASHSEED := 0
export TQDM_DISABLE := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: book test run lab exercises lint lock bench clean help pages
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(STAMP)  ## run notebooks in place and store their outputs (NB="chapters/05_convolution.ipynb")
	@for nb in $(NB); do echo "running $$nb"; $(BIN)/jupyter execute --inplace $$nb || exit 1; done
	$(BIN)/nbstripout $(NORMALISE) $(NB)

$(STAMP): requirements.txt pyproject.toml
	touch $@
