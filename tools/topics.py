"""Write the map "Where to find what" of appendix A: `make derived`, or `python -m tools.topics`.

`tools/topics.json` is the one table: for each part of the map a list of `[topic, targets]`. A
target is a section, or a heading in it, by number and title: "2.6 Schedules". Of a page that is not
there yet its number is enough: "17". A topic without target says why: `[topic, [], reason]`.
"""

import json
import re
import sys
from pathlib import Path
from urllib.parse import quote

from bs4 import BeautifulSoup
from nbconvert.filters import markdown2html

from tools.canonical import canonical, write
from tools.notebooks import CHAPTERS, ROOT, SECTION_NUMBER, PageError, read

TABLE = ROOT / "tools/topics.json"
PAGE = CHAPTERS / "A_resources.ipynb"
CELL = "map"


def headings(folder: Path) -> dict[str, str]:
    """List the headings of all pages that have a number, or stand in a section that has one.

    Args:
        folder: The folder of the pages.

    Returns:
        From number and title, such as "2.6 Schedules", to the link, seen from the folder.
    """
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        section = None
        for cell in read(path).cells:
            if cell.cell_type != "markdown":
                continue
            page = BeautifulSoup(markdown2html(cell.source), "html.parser")
            for heading in page.find_all(["h2", "h3"]):
                title = heading.get_text().removesuffix("¶").strip()
                number = re.match(rf"{SECTION_NUMBER}(?= )", title)
                if heading.name == "h2":
                    section = number and number[0]
                name = title if number else f"{section} {title}"
                if section:
                    found.setdefault(name, f"{path.name}#{quote(heading['id'], safe='%-,:;?!')}")
    return found


def written(folder: Path) -> set[str]:
    """Return the numbers of the chapters that are there: 2 for `02a_training` and `02b_practice`.

    Args:
        folder: The folder of the pages.

    Returns:
        Numbers without zeros in front, and letters.
    """
    names = [re.match(r"0*(\d+|[A-Z])[a-z]?_", path.name) for path in folder.glob("*.ipynb")]
    return {name[1] for name in names if name}


def row(topic: str, targets: list[str], reason: str, found: dict, there: set[str]) -> str:
    """Return one row of the map.

    Args:
        topic: What a reader looks for.
        targets: Where it is.
        reason: Why it is nowhere; empty if there are targets.
        found: What `headings` gives.
        there: What `written` gives.

    Returns:
        A row of a Markdown table.

    Raises:
        PageError: If a section is not there, though its chapter is, if something is no target, or
            if a topic has both targets and a reason, or neither.
    """
    if bool(targets) == bool(reason):
        raise PageError(f"{TABLE.name}: {topic!r} needs targets, or a reason why it has none")
    places = []
    for target in targets:
        page = re.match(r"(\d+|[A-Z])(?:\.\d+ |$)", target)
        if target in found:
            number, _, title = target.partition(" ")
            if f"#{number}-" in found[target]:
                title = title.replace('"', "&quot;")
                places.append(f'[{number}]({found[target]} "{title}")')
            else:  # a heading within a section
                places.append(f"[{target}]({found[target]})")
        elif page and page[1] not in there:
            kind = "appendix" if page[1].isalpha() else "chapter"
            places.append(f"{kind} {page[1]} (to come)")
        else:
            wrong = f"{topic!r} is said to be in {target!r}: no such section"
            raise PageError(f"{TABLE.name}: {wrong}; name one by number and title")
    return f"| {topic} | {', '.join(dict.fromkeys(places)) or f'left out: {reason}'} |"


def topics_map(table: dict, folder: Path) -> str:
    """Return the map.

    Args:
        table: The content of `topics.json`.
        folder: The folder of the pages.

    Returns:
        Markdown: a heading and a table for each part.

    Raises:
        PageError: Listing every row that is wrong, as `row` says, or a topic that is listed twice.
    """
    found, there = headings(folder), written(folder)
    topics = [topic for rows in table.values() for topic, *_ in rows]
    for topic in topics:
        if topics.count(topic) > 1:
            raise PageError(f"{TABLE.name}: {topic!r} is listed {topics.count(topic)} times")
    lines, wrong = [], []
    for part, rows in table.items():
        lines += [f"### {part}\n", "| topic | where |", "|---|---|"]
        for topic, targets, *why in rows:
            try:
                lines.append(row(topic, targets, "".join(why), found, there))
            except PageError as error:
                wrong.append(str(error))
        lines[-1] += "\n"
    if wrong:
        raise PageError("\n".join(wrong))
    return "\n".join(lines).rstrip("\n")


def main() -> int:
    """Write the map into its cell; return 1 if the table or the page is wrong, else 0."""
    try:
        text = topics_map(json.loads(TABLE.read_text(encoding="utf-8")), CHAPTERS)
        page = read(PAGE)
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    next(cell for cell in page.cells if cell.id == CELL).source = text
    write(canonical(page), PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
