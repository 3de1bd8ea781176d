"""A line on the terminal that says how far something is."""

import contextlib
import sys


@contextlib.contextmanager
def line():
    """Give a function that shows a text in place of the one before, on a terminal only.

    Where stderr is a file or a notebook, nothing is written.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda text: None
        return
    width = 0

    def show(text):
        nonlocal width
        print(f"\r{text:<{width}}", end="", file=sys.stderr, flush=True)
        width = len(text)

    try:
        yield show
    finally:
        print(file=sys.stderr)
