# make read    open the book            make test       every test, every page
# make check   a fast subset            make bench      speed ratios
# make times   seconds a chapter        make clean      remove what was built
# make page CHAPTER=05                  run, store and check one page (FORCE=1: though unchanged)
# make derived                          write what derives: exercises, covers, the map of appendix A,
#   tables of the README
# make links CHAPTER=A                  follow the links of a page to the web (without CHAPTER: of all)
# make site                             the HTML book, in build/site     make site-test   try it in Chromium
# make classroom                        lay the exercises out for nbgrader
# make evidence CHAPTER=05 SEEDS=2      store what a page notes with seeds 1 and 2 besides its own;
#   THREADS="1 2", BUDGET="1 3": with other threads and budgets; AGAIN=1: repeat what older code made
# make hooks                            an author's git: checks at each commit, diffs of notebooks
PYTHON ?= python3
BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
SITE := $(subst .venv,.venv-site,$(BIN))
# A number, a name or a path: CHAPTER=05
PAGE = $(or $(CHAPTER),$(error Which page? make $@ CHAPTER=05, or CHAPTER=solutions/05, or a path))
# Tests and pages that run at the same time, each page on one core: small trainings gain by no more.
JOBS ?= 2
ONE_CORE := TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1

.PHONY: read test check bench times page derived links evidence classroom site site-test hooks clean

read: .venv/ready
	@$(BIN)/python -m tools.read "$(or $(CHAPTER),00)"

test: .venv/ready
	$(BIN)/pytest -n $(JOBS) --dist worksteal
	$(ONE_CORE) $(BIN)/python -m pytest -p tools.progress -n $(JOBS) --dist loadfile --nbval --nbval-current-env \
	  --nbval-cell-timeout=600 --nbval-sanitize-with=tests/nbval.cfg chapters/*.ipynb chapters/solutions

check: .venv/ready
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not slow"

bench: .venv/ready
	@for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

times: .venv/ready
	$(BIN)/python -m tools.times

page: .venv/ready
	@$(BIN)/python -m tools.page $(if $(FORCE),--force) "$(PAGE)"

derived: .venv/ready
	$(BIN)/python -m tools.exercises
	$(BIN)/python -m tools.topics
	$(BIN)/python -m tools.covers
	$(BIN)/python -m tools.readme

links: .venv/ready
	@$(BIN)/python -m tools.links $(if $(CHAPTER),"$(CHAPTER)")

classroom: .venv/ready
	$(BIN)/python -m tools.classroom

site: .venv-site/ready build/npm/ready
	$(SITE)/python -m tools.site
	$(SITE)/sphinx-build --jobs $(JOBS) --quiet --fail-on-warning --keep-going \
	  --doctree-dir build/doctrees build/source build/site

site-test: site
	$(SITE)/python -m pytest tests/test_site.py

hooks: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-author.txt
	$(BIN)/pre-commit install
	git config diff.jupyternotebook.command '"$(CURDIR)/$(BIN)/git-nbdiffdriver" diff'
	git config merge.jupyternotebook.driver \
	  '"$(CURDIR)/$(BIN)/git-nbmergedriver" merge %O %A %B %L %P'

evidence: .venv/ready
	@$(BIN)/python -m tools.evidence "$(PAGE)" $(if $(SEEDS),--seeds $(SEEDS)) \
	  $(if $(THREADS),--threads $(THREADS)) $(if $(BUDGET),--budgets $(BUDGET)) $(if $(AGAIN),--again)

clean:
	rm -rf .venv .venv-site build *.egg-info .pytest_cache .ruff_cache
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

.venv-site/ready: requirements-site.txt
	$(PYTHON) -m venv .venv-site
	$(SITE)/python -m pip install --quiet --disable-pip-version-check -r requirements-site.txt
	@touch $@

build/npm/ready: site/package.json
	@command -v npm >/dev/null || { echo "make site needs npm (Node.js), for MathJax"; exit 1; }
	mkdir -p build/npm
	cp site/package.json build/npm
	npm install --prefix build/npm --silent --no-audit --no-fund
	@touch $@
