"""Find a page of the book by its number, its name or its path."""

from pathlib import Path


def find_page(text: str, folder: Path) -> Path:
    """Find the notebook that a number, a name or a path means.

    Args:
        text: a number (`5` or `05`), a name (`05_fcn`, `05_fcn.ipynb`), or the path of a notebook
            below `folder`, seen from there or from the working directory.
        folder: the folder of the pages.

    Returns:
        The absolute path of the notebook.

    Raises:
        ValueError: no page is meant; the message lists the pages.
    """
    folder = folder.resolve()
    pages = sorted(folder.glob("*.ipynb"))
    for page in pages:
        number = page.stem.partition("_")[0]
        if text in (number, number.lstrip("0") or "0", page.stem, page.name):
            return page
    for path in (Path(text).resolve(), folder / text):
        if path.suffix == ".ipynb" and path.is_file() and path.is_relative_to(folder):
            return path
    names = "\n  ".join(page.name for page in pages)
    raise ValueError(
        f"CHAPTER is {text!r}; allowed is the number, the name or the path of a notebook in "
        f"{folder.name}/:\n  {names}"
    )
