"""Where segbook is installed without Jupyter, only the tests of segbook itself are collected."""

from importlib.util import find_spec

DESK = ["test_exercises.py", "test_notebooks.py", "test_page.py"]
DESK += ["test_progress.py", "test_readme.py", "test_read.py"]
DESK += ["test_evidence_rules.py", "test_evidence_runs.py", "test_citation.py"]
DESK += ["test_topics.py", "test_links.py", "test_site_pages.py"]
collect_ignore = [] if find_spec("nbformat") and find_spec("nbgrader") else DESK
