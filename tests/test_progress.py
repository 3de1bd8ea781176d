"""Whoever waits for the pages sees which are done, and how many are left."""

import re
import subprocess
import sys

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools.canonical import write
from tools.notebooks import ROOT


def page(text):
    """A page of two cells, the second of which is said to print this text."""
    printed = new_output("stream", text=text)
    return new_notebook(
        cells=[
            new_code_cell("x = 1", execution_count=1),
            new_code_cell("print(x)", execution_count=2, outputs=[printed]),
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["-n", "2", "--dist", "loadfile"]], ids=["one", "xdist"])
def test_a_line_for_each_page(tmp_path, options):
    for name, text in (("a", "1\n"), ("b", "2\n"), ("c", "1\n")):
        write(page(text), tmp_path / f"{name}.ipynb")
    command = ["-m", "pytest", "-p", "tools.progress", "--nbval", "--nbval-current-env", *options]
    run = subprocess.run(
        [sys.executable, *command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    lines = re.findall(r"^page .*?(\w)\.ipynb: (\w+) in \d+ s, (\d) of 3 left$", run.stdout, re.M)
    assert {name: outcome for name, outcome, _ in lines} == {
        "a": "done",
        "b": "FAILED",
        "c": "done",
    }
    assert [left for *_, left in lines] == ["2", "1", "0"]
