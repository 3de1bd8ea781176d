"""The tables of README.md say what the chapters and the models say."""

import re
import shutil
from pathlib import Path

import pytest

from tools.models_table import models_table
from tools.notebooks import CHAPTERS, ROOT, PageError, read
from tools.readme import README, chapters_table, with_table
from tools.times import main as times
from tools.times import store

TEXT = README.read_text(encoding="utf-8")


def test_the_table_of_chapters_is_up_to_date():
    assert with_table(TEXT, "chapters", chapters_table()) == TEXT, "run `make derived`"


@pytest.mark.slow
def test_the_table_of_models_is_up_to_date():
    assert with_table(TEXT, "models", models_table()) == TEXT, "run `make derived`"


@pytest.mark.parametrize("path", sorted(CHAPTERS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_code_that_a_chapter_names_exists(path):
    files = read(path).metadata.segbook.code
    assert files
    assert [file for file in files if not (ROOT / "segbook" / file).is_file()] == []


def test_links_of_the_readme_lead_somewhere():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", TEXT)
    chapters = [target for target in targets if not target.startswith("segbook/")]
    assert chapters
    assert [target for target in chapters if not (ROOT / target).exists()] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a\n<!-- t -->\n\nold\n\n<!-- /t -->\nold\n",
            "a\n<!-- t -->\n\nnew\n\n<!-- /t -->\nold\n",
        ),
        ("<!-- t -->\n<!-- /t -->", "<!-- t -->\n\nnew\n\n<!-- /t -->"),
        ("<!-- t -->\nold", None),
        ("<!-- /t -->\n<!-- t -->\n", None),
    ],
)
def test_a_table_is_put_between_its_marks(text, expected):
    if expected is None:
        with pytest.raises(PageError, match="no <!-- t -->"):
            with_table(text, "t", "new")
    else:
        assert with_table(text, "t", "new") == expected


def test_a_chapter_without_a_row_is_named(monkeypatch):
    page = read(CHAPTERS / "05_fcn.ipynb")
    del page.metadata.segbook["builds"]
    monkeypatch.setattr("tools.readme.read", lambda path: page)
    with pytest.raises(PageError, match="no segbook: 'builds'"):
        chapters_table()


def test_seconds_are_stored_where_the_table_finds_them(tmp_path):
    path = Path(shutil.copy(CHAPTERS / "05_fcn.ipynb", tmp_path))
    before = read(path).metadata.segbook
    store(path, 12.6)
    assert read(path).metadata.segbook == before | {"seconds": 13}
    assert times(["99"]) == 1
