"""Find a page of the book by its number, its name or its path."""

import re
from pathlib import Path


def find_page(text: str, folder: Path) -> Path:
    """Find the notebook that a number, a name or a path means.

    Args:
        text: A number (`5`, `05`, `02a`, `B`), a name (`05_fcn`, `05_fcn.ipynb`), or either after a
            folder that is seen from `folder` or from the working directory (`solutions/05`).
        folder: The folder of the pages.

    Returns:
        The absolute path of the notebook.

    Raises:
        ValueError: If no page below `folder` is meant; the message lists the pages. If a number
            means a chapter of several pages (`2` for `02a` and `02b`), it lists those.
    """
    folder, given = folder.resolve(), Path(text)
    parts = []
    for start in (folder, Path()):
        for page in sorted((start / given.parent).resolve().glob("*.ipynb")):
            if not page.is_relative_to(folder):
                continue
            number = page.stem.partition("_")[0]
            if given.name in (*_numbers(number), page.stem, page.name):
                return page
            if given.name in _numbers(re.sub(r"(?<=\d)[a-z]$", "", number)):
                parts.append(number)
    if parts:
        raise ValueError(
            f"CHAPTER={text!r} must be one page; this chapter has several: "
            + ", ".join(dict.fromkeys(parts))
        )
    pages = "\n  ".join(page.name for page in sorted(folder.glob("*.ipynb")))
    raise ValueError(
        f"CHAPTER={text!r} must be the number, the name or the path of a notebook in "
        f"{folder.name}/:\n  {pages}"
    )


def _numbers(number):
    """Give the two ways to write the number of a page: `05` and `5`."""
    return number, number.lstrip("0") or "0"
