"""Find a page of the book by its number, its name or its path."""

from pathlib import Path


def find_page(text: str, folder: Path) -> Path:
    """Find the notebook that a number, a name or a path means.

    Args:
        text: A number (`5`, `05`), a name (`05_fcn`, `05_fcn.ipynb`), or either after a folder that
            is seen from `folder` or from the working directory (`solutions/05`).
        folder: The folder of the pages.

    Returns:
        The absolute path of the notebook.

    Raises:
        ValueError: If no page below `folder` is meant; the message lists the pages.
    """
    folder, given = folder.resolve(), Path(text)
    for start in (folder, Path()):
        for page in sorted((start / given.parent).resolve().glob("*.ipynb")):
            number = page.stem.partition("_")[0]
            names = (number, number.lstrip("0") or "0", page.stem, page.name)
            if given.name in names and page.is_relative_to(folder):
                return page
    pages = "\n  ".join(page.name for page in sorted(folder.glob("*.ipynb")))
    raise ValueError(
        f"CHAPTER={text!r} must be the number, the name or the path of a notebook in "
        f"{folder.name}/:\n  {pages}"
    )
