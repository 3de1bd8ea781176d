"""What `make site` makes of a page, before Sphinx sees it; and the wheel that Colab installs."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tools.canonical import VIEW, views
from tools.notebooks import CHAPTERS, read
from tools.site import (
    PARTS,
    contents,
    gallery,
    with_install,
    with_links,
    with_solutions,
    with_stored_widgets,
)

ROOT = Path(__file__).parents[1]
PAGES = sorted(CHAPTERS.glob("*.ipynb"))
EXERCISES = sorted((CHAPTERS / "exercises").glob("*.ipynb"))
POSIX = pytest.mark.skipif(os.name == "nt", reason="a shell of Colab and Kaggle")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_widgets_stand_as_they_were_stored(path):
    notebook = read(path)
    shown = sum(len(views(cell)) for cell in notebook.cells if cell.cell_type == "code")
    page = with_stored_widgets(notebook)
    outputs = [output.get("data", {}) for cell in page.cells for output in cell.get("outputs", [])]
    assert not [data for data in outputs if VIEW in data]
    drawn = BeautifulSoup("".join(data.get("text/html", "") for data in outputs), "html.parser")
    assert len(drawn.select(".stored-widget")) == shown
    assert all(label.find(string=True).strip() for label in drawn.select("label"))
    assert all(control.has_attr("disabled") for control in drawn.select("input, select"))


def test_a_slider_says_its_value():
    page = with_stored_widgets(read(CHAPTERS / "08_dilation.ipynb"))
    text = str([cell.get("outputs") for cell in page.cells])
    assert 'min="1" max="12"' in text
    assert 'value="9"> <output>9</output>' in text


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
def test_every_task_has_its_solution_behind_it(path):
    exercises, solutions = (
        read(CHAPTERS / folder / path.name) for folder in ("exercises", "solutions")
    )
    page = with_solutions(exercises, solutions)
    folded = [cell for cell in page.cells if "hide-input" in cell.metadata.get("tags", [])]
    tasks = [c for c in solutions.cells if c.metadata.get("nbgrader", {}).get("solution")]
    assert len(folded) == len(tasks) >= 3
    for cell, task in zip(folded, tasks, strict=True):
        kept = [line for line in task.source.splitlines() if "### " not in line]
        assert [line for line in cell.source.splitlines() if line] == [x for x in kept if x]


def test_a_chapter_ends_with_its_code_and_its_exercises():
    last = with_links(read(CHAPTERS / "05_fcn.ipynb"), "05_fcn").cells[-1].source
    assert '<a href="../_modules/segbook/models/fcn.html">' in last
    assert "exercises/05_fcn" in last


def test_every_chapter_is_in_one_part_and_in_the_gallery():
    table, pictures = contents(), gallery()
    for path in PAGES:
        assert table.count(f"chapters/{path.stem}\n") == 1
        assert f"](chapters/{path.name})" in pictures
    assert table.index("Foundations") < table.index("Networks")
    assert list(PARTS) == sorted(PARTS)


@POSIX
@pytest.mark.parametrize(
    ("variables", "installed", "calls"),
    [
        ({}, False, []),
        ({"COLAB_RELEASE_TAG": "1"}, False, ["pip show", "git clone", "pip install"]),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}, True, ["pip show"]),
    ],
    ids=["elsewhere", "Colab", "Kaggle, a second time"],
)
def test_the_first_cell_installs_only_where_something_is_missing(
    tmp_path, variables, installed, calls
):
    cell = next(c for c in with_install(read(PAGES[5])).cells if c.cell_type == "code")
    for name in ("pip", "git"):
        program = tmp_path / name
        status = 0 if installed or name == "git" else '$([ "$1" = install ]; echo $?)'
        program.write_text(f"#!/bin/sh\necho {name} $1 >> {tmp_path}/calls\nexit {status}\n")
        program.chmod(0o755)
    (tmp_path / "cell.ipy").write_text(cell.source)
    environment = {**os.environ, **variables, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    run = [sys.executable, "-m", "IPython", "--no-banner", "cell.ipy"]
    subprocess.run(run, cwd=tmp_path, env=environment, check=True, capture_output=True)
    log = tmp_path / "calls"
    assert (log.read_text().splitlines() if log.exists() else []) == calls


@pytest.mark.slow
def test_a_chapter_runs_from_the_wheel_in_another_folder(tmp_path):
    copied = tmp_path / "copy"
    shutil.copytree(ROOT / "segbook", copied / "segbook")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copied)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run = quietly([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, copied])
    if "No matching distribution found for setuptools" in run.stderr:
        pytest.skip("no network: pip cannot fetch setuptools")
    assert run.returncode == 0, run.stderr
    (wheel,) = tmp_path.glob("segbook-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    files = {str(p.relative_to(ROOT)) for p in (ROOT / "segbook").rglob("*") if p.is_file()}
    assert {name for name in files if "__pycache__" not in name} <= set(names)

    environment = tmp_path / "environment"
    run = quietly([sys.executable, "-m", "venv", "--without-pip", environment])
    python = (
        next(environment.glob("bin/python"))
        if os.name != "nt"
        else environment / "Scripts/python.exe"
    )
    (packages,) = environment.rglob("site-packages")
    run = quietly([*pip, "install", "--no-deps", "--target", packages, wheel])
    assert run.returncode == 0, run.stderr
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    code = [
        cell.source for cell in read(CHAPTERS / "05_fcn.ipynb").cells if cell.cell_type == "code"
    ]
    page = tmp_path / "page.py"
    page.write_text("\n".join([*code[:2], "print(worlds.__file__)", code[3]]), encoding="utf-8")
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = subprocess.run(
        [python, page], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()).is_relative_to(packages)


def quietly(command):
    return subprocess.run(command, capture_output=True, text=True, check=False)
