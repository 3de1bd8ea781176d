# make read    open the book            make test       every test, every page
# make check   a fast subset            make bench      speed ratios
# make times   seconds a chapter        make clean      remove what was built
# make exercises, make covers           write what derives from the notebooks
# make classroom                        lay the exercises out for nbgrader
# make evidence CHAPTER=05 SEEDS=2      store what a page notes with seeds 1 and 2 besides its own;
#   THREADS="1 2", BUDGET="1 3": with other threads and budgets; AGAIN=1: repeat what older code made
PYTHON ?= python3
BIN := .venv/bin
CHAPTER ?= chapters/00_start.ipynb
# Tests and pages that run at the same time. A small training is no faster on two cores than on one.
JOBS ?= 2

.PHONY: read test check bench times exercises covers classroom evidence clean

read: .venv/ready
	@$(BIN)/jupyter lab --allow-root --LabApp.log_level=CRITICAL --ServerApp.log_level=CRITICAL \
	  --KernelManager.transport=ipc $(CHAPTER)

test: .venv/ready
	$(BIN)/pytest -n $(JOBS) --dist worksteal
	$(BIN)/pytest -n $(JOBS) --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout=600 \
	  --nbval-sanitize-with=tests/nbval.cfg chapters/*.ipynb chapters/solutions

check: .venv/ready
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not slow"

bench: .venv/ready
	@for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

times: .venv/ready
	$(BIN)/python benchmarks/time_chapters.py

exercises: .venv/ready
	$(BIN)/python -m segbook.exercises

covers: .venv/ready
	$(BIN)/python chapters/covers.py

classroom: .venv/ready
	$(BIN)/python chapters/classroom.py

evidence: .venv/ready
	@$(BIN)/python -m tools.evidence $(CHAPTER) $(if $(SEEDS),--seeds $(SEEDS)) \
	  $(if $(THREADS),--threads $(THREADS)) $(if $(BUDGET),--budgets $(BUDGET)) $(if $(AGAIN),--again)

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

# JupyterLab asks newcomers whether they want its news; a book should not.
.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "segbook needs Python 3.11 or later, but $(PYTHON) is" \
	    "$$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/jupyter labextension disable "@jupyterlab/apputils-extension:announcements" 2>/dev/null
	@touch $@
