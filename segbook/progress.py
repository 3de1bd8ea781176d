"""A line on the terminal that says how far something is."""

import contextlib
import sys


@contextlib.contextmanager
def line():
    """Give a function that shows a text in place of the one before.

    On a terminal only: where stderr is a file or a notebook, nothing is written but a text with
    `stays=True`, which gets a line for itself.
    """
    terminal = sys.stderr is not None and sys.stderr.isatty()
    width = 0

    def show(text, *, stays=False):
        nonlocal width
        if terminal:
            print(f"\r{text:<{width}}", end="", file=sys.stderr, flush=True)
            width = len(text)
        elif stays:
            print(text, file=sys.stderr)
        if terminal and stays:
            print(file=sys.stderr)
            width = 0

    try:
        yield show
    finally:
        if width:
            print(file=sys.stderr)
