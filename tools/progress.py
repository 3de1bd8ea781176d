"""A line for each page that pytest has run: `python -m pytest -p tools.progress --nbval ...`.

Under pytest-xdist the lines come from the process that collects the results.
"""

from collections import Counter

import pytest


class Pages:
    """Counts the cells that are left in each page, and prints a line when none is.

    Args:
        write: Called with each line.
    """

    def __init__(self, write):
        self.write = write
        self.left = Counter()
        self.seconds = Counter()
        self.failed = set()

    def expect(self, ids) -> None:
        """Note the tests that will run; each page once, though every worker names all.

        Args:
            ids: Names of tests, `chapters/05_fcn.ipynb::Cell 3`.
        """
        if not self.left:
            self.left = Counter(_page(name) for name in ids)

    def add(self, report) -> None:
        """Count one phase of one test.

        Args:
            report: pytest's report of a setup, a call or a teardown.
        """
        page = _page(report.nodeid)
        self.seconds[page] += report.duration
        if report.failed:
            self.failed.add(page)
        if report.when != "teardown":
            return
        self.left[page] -= 1
        if self.left[page] == 0:
            outcome = "FAILED" if page in self.failed else "done"
            waiting = sum(count > 0 for count in self.left.values())
            name = page.removeprefix("chapters/")
            self.write(
                f"page {name}: {outcome} in {self.seconds[page]:.0f} s, "
                f"{waiting} of {len(self.left)} left"
            )


class _Hooks:
    def __init__(self, config):
        self.config = config
        self.pages = Pages(self.write)

    def write(self, line):
        terminal = self.config.get_terminal_writer()
        if terminal.width_of_current_line:
            terminal.line()
        terminal.line(line)
        terminal.flush()

    def pytest_collection_finish(self, session):
        self.pages.expect(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids):
        self.pages.expect(ids)

    def pytest_runtest_logreport(self, report):
        self.pages.add(report)


def pytest_configure(config):
    """Register the counter, but not in the workers of pytest-xdist, which have no terminal."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Hooks(config), "pages")


def _page(name):
    return name.partition("::")[0]
