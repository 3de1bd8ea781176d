"""Write the two tables of README.md: `make derived`, or `python -m tools.readme`.

The table of chapters comes from the chapters: their headings, and in their metadata
`segbook: {"builds": "what", "code": ["models/fcn.py"], "seconds": 98}`. Nothing is measured here;
`python -m tools.times --store` does.
"""

import re
import sys

from tools.models_table import models_table
from tools.notebooks import CHAPTERS, PAGE_NUMBER, ROOT, PageError, read

README = ROOT / "README.md"


def chapters_table() -> str:
    """Return the table of chapters.

    Returns:
        A Markdown table.

    Raises:
        PageError: If a chapter's metadata lack what its row says.
    """
    lines = ["| | chapter | you build by hand | code | seconds |", "|---|---|---|---|---:|"]
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        page = read(path)
        about = page.metadata.get("segbook", {})
        for key in ("builds", "code", "seconds"):
            if key not in about:
                raise PageError(f"{path}: the notebook's metadata have no segbook: {key!r}")
        title = re.match(rf"# (?:{PAGE_NUMBER}\. )?(.*)", page.cells[0].source)[1]
        number = path.stem.partition("_")[0]
        code = ", ".join(f"[`{file}`](segbook/{file})" for file in about.code)
        lines.append(
            f"| {number} | [{title}](chapters/{path.name}) | {about.builds} | {code} "
            f"| {about.seconds} |"
        )
    return "\n".join(lines)


def with_table(text: str, name: str, table: str) -> str:
    """Return a text with this table between `<!-- name -->` and `<!-- /name -->`.

    Args:
        text: The text.
        name: What the two marks say.
        table: The new table.

    Returns:
        The text; nothing outside the marks changes.

    Raises:
        PageError: If the pair of marks is missing.
    """
    marks = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    if not marks.search(text):
        raise PageError(f"README.md has no <!-- {name} --> with a <!-- /{name} --> after it")
    return marks.sub(lambda _: f"\n{table}\n\n", text)


def main() -> int:
    """Write both tables; return 1 if a mark or a chapter's metadata are missing, else 0."""
    text = README.read_text(encoding="utf-8")
    try:
        text = with_table(text, "chapters", chapters_table())
        text = with_table(text, "models", models_table())
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    README.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
