"""The map of appendix A names sections that exist, by number and title, or what is to come."""

import json
import re
from urllib.parse import unquote

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from tools import topics
from tools.canonical import write
from tools.notebooks import CHAPTERS, PageError, read
from tools.rules import links
from tools.topics import CELL, PAGE, TABLE, headings, topics_map, written

TOPICS = json.loads(TABLE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found():
    return headings(CHAPTERS)


def test_the_map_is_up_to_date():
    cell = next(cell for cell in read(PAGE).cells if cell.id == CELL)
    assert cell.source == topics_map(TOPICS, CHAPTERS), "run `make derived`"


def test_every_link_to_a_section_leads_there(found):
    there, tried = set(map(unquote, found.values())), 0
    for place, target in links(read(PAGE)):
        if ".ipynb#" in target:
            tried += 1
            assert unquote(target) in there, (place, target)
    assert tried > 100


def test_fifteen_questions_each_name_a_section_by_its_number():
    text = "\n\n".join(cell.source for cell in read(PAGE).cells if re.match(r"q\d", cell.id))
    questions = re.split(r"^(?=\*\*\d+\. )", text, flags=re.MULTILINE)[1:]
    assert [int(re.match(r"\*\*(\d+)", q)[1]) for q in questions] == list(range(1, 16))
    for question in questions:
        named = re.findall(r"\[(\d+\.\d+)\]\((\w+)\.ipynb#", question)
        assert named, question
        for number, page in named:
            chapter = re.match(r"0*(\d+)", page)[1]
            assert number.partition(".")[0] == chapter, question


def test_links_in_the_text_have_the_number_of_their_section(found):
    by_link = {}
    for name, link in found.items():
        by_link.setdefault(unquote(link), set()).add(name.partition(" ")[0])
    for cell in read(PAGE).cells:
        for number, link in re.findall(r"\[(\w+\.\d+)\]\((\w+\.ipynb#[^) ]+)", cell.source):
            assert number in by_link[unquote(link)], (cell.id, number, link)


@pytest.fixture
def folder(tmp_path):
    """Draw a book of two chapters, 2 of two pages."""
    texts = {
        "02a_one.ipynb": ["# 2a. One", "## 2.1 First", "### Deeper: a, b", "## Summary", "### End"],
        "02b_two.ipynb": [
            "# 2b. Two",
            "## 2.2 Second?\n\n### Alike",
            "text",
            '### A "trap"',
            '## 2.3 "So"',
        ],
        "A_more.ipynb": ["# A. More", "## A.1 Books"],
    }
    for name, cells in texts.items():
        write(new_notebook(cells=[new_markdown_cell(text) for text in cells]), tmp_path / name)
    return tmp_path


def test_headings_have_the_number_of_their_section(folder):
    assert headings(folder) == {
        "2.1 First": "02a_one.ipynb#2.1-First",
        "2.1 Deeper: a, b": "02a_one.ipynb#Deeper:-a,-b",
        "2.2 Second?": "02b_two.ipynb#2.2-Second?",
        "2.2 Alike": "02b_two.ipynb#Alike",
        '2.2 A "trap"': "02b_two.ipynb#A-%22trap%22",
        '2.3 "So"': "02b_two.ipynb#2.3-%22So%22",
        "A.1 Books": "A_more.ipynb#A.1-Books",
    }
    assert written(folder) == {"2", "A"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (["x", ["2.1 First"]], '| x | [2.1](02a_one.ipynb#2.1-First "First") |'),
        (["x", ["2.1 Deeper: a, b"]], "| x | [2.1 Deeper: a, b](02a_one.ipynb#Deeper:-a,-b) |"),
        (["x", ['2.2 A "trap"']], '| x | [2.2 A "trap"](02b_two.ipynb#A-%22trap%22) |'),
        (["x", ['2.3 "So"']], '| x | [2.3](02b_two.ipynb#2.3-%22So%22 "&quot;So&quot;") |'),
        (["x", ["A.1 Books"]], '| x | [A.1](A_more.ipynb#A.1-Books "Books") |'),
        (["x", ["3"]], "| x | chapter 3 (to come) |"),
        (["x", ["B"]], "| x | appendix B (to come) |"),
        (["x", ["3.1 Plan", "3.2 More"]], "| x | chapter 3 (to come) |"),
        (["x", ["3", "A.1 Books"]], '| x | chapter 3 (to come), [A.1](A_more.ipynb#A.1-Books "Bo'),
        (["x", [], "too long"], "| x | left out: too long |"),
    ],
)
def test_a_row_says_where(folder, row, expected):
    assert expected in topics_map({"Part": [row]}, folder)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["x", ["2.1 Second?"]]], "'x' is said to be in '2.1 Second?': no such section"),
        ([["x", ["2.1"]]], "'x' is said to be in '2.1': no such section"),
        ([["x", ["2.3 Third"]]], "no such section"),
        ([["x", ["2"]]], "no such section"),  # the chapter is there: name the section
        ([["x", ["A"]]], "no such section"),
        ([["x", ["2.1 End"]]], "no such section"),  # stands in the summary
        ([["x", ["later"]]], "no such section"),
        ([["x", []]], "'x' needs targets, or a reason"),
        ([["x", ["2.1 First"], "too long"]], "'x' needs targets, or a reason"),
        ([["x", ["3"]], ["x", ["4"]]], "'x' is listed 2 times"),
        ([["x", ["2"]], ["y", ["2"]]], "topics.json: 'y' is said to be in '2'"),  # all of them
    ],
)
def test_a_wrong_row_is_named(folder, rows, message):
    with pytest.raises(PageError, match=re.escape(message)):
        topics_map({"Part": rows}, folder)


def test_main_writes_the_map_or_names_what_is_wrong(folder, monkeypatch, capsys):
    table, page = folder / "topics.json", folder / "A_more.ipynb"
    cells = [new_markdown_cell("## A.1 Books", id="s1"), new_markdown_cell("old", id=CELL)]
    write(new_notebook(cells=cells), page)
    for name, value in {"TABLE": table, "PAGE": page, "CHAPTERS": folder}.items():
        monkeypatch.setattr(topics, name, value)

    table.write_text('{"Part": [["x", ["2.1 First"]]]}', encoding="utf-8")
    assert topics.main() == 0
    written_map = read(page).cells[1].source
    assert written_map.startswith("### Part\n")
    assert "[2.1](02a_one.ipynb#2.1-First" in written_map

    table.write_text('{"Part": [["x", ["2.1 Second"]]]}', encoding="utf-8")
    assert topics.main() == 1
    assert "'x' is said to be in '2.1 Second'" in capsys.readouterr().err
    assert read(page).cells[1].source == written_map
