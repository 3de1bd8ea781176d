"""Execute a page with other seeds, threads and budgets, and store what it notes.

`make evidence CHAPTER=05 SEEDS=2 THREADS="1 2" BUDGET="1 3"` runs the page with its own seed and
with seeds 1 and 2 (counted, never chosen), at its own budget with each number of threads, and at
three times the budget. Each run is stored when it has finished, so the command may be interrupted
and given again. `AGAIN=1` repeats the stored runs whose code is not that of the page.
"""

import argparse
import contextlib
import fcntl
import json
import logging
import os
import sys
import time
from pathlib import Path

import nbformat

from segbook.evidence import FORMAT, EvidenceError, key_of, name_of, read
from tools.evidence_run import execute, hash_of_code, parameters
from tools.notebooks import PageError, find

# What a laptop has. Larger budgets run with these alone: other threads only measure the noise.
THREADS = 2


def seeds_in_order(own: int, count: int) -> list[int]:
    """Give the page's own seed, then the first `count` of 1, 2, 3, ... besides it."""
    return [own, *[seed for seed in range(1, count + 2) if seed != own][:count]]


def plan(own: int, seeds: int, threads: list[int], budgets: list[float]) -> list[dict]:
    """List the runs to be made, the page's own first.

    Args:
        own: The seed of the page.
        seeds: How many seeds besides it.
        threads: Numbers of threads, at the page's own budget.
        budgets: Budgets, with the usual number of threads.

    Returns:
        One dictionary a run: its seed, budget and threads.
    """
    pairs = [(1, THREADS)] + [(1, count) for count in threads] + [(b, THREADS) for b in budgets]
    return [
        {"seed": seed, "budget": budget, "threads": count}
        for budget, count in dict.fromkeys(pairs)
        for seed in seeds_in_order(own, seeds)
    ]


def write(path: Path, runs: list[dict]) -> None:
    """Write the runs of a page at once: a reader finds the old file or the new one, whole."""

    def line(value):
        return json.dumps(value, ensure_ascii=False)

    def members(pairs, indent):
        lines = [f"{' ' * indent}{line(key)}: {value}" for key, value in pairs]
        return "{\n" + ",\n".join(lines) + "\n" + " " * (indent - 1) + "}"

    blocks = []
    for run in sorted(runs, key=key_of):
        # One line a note keeps a difference between two files readable.
        texts = {key: line(value) for key, value in run.items()}
        texts["notes"] = members([(k, line(v)) for k, v in run["notes"].items()], 4)
        blocks.append("  " + members(sorted(texts.items()), 3))
    listed = "[\n" + ",\n".join(blocks) + "\n ]"
    head = {"format": line(FORMAT), "chapter": line(path.stem), "runs": listed}
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(members(head.items(), 1) + "\n", encoding="utf-8")
    os.replace(beside, path)


@contextlib.contextmanager
def locked(page: Path):
    """Hold a page, so that no two processes make its evidence at once."""
    with open(page) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EvidenceError(f"{page.name}: another process makes its evidence now") from None
        yield


def make(page: Path, *, seeds: int, threads: list[int], budgets: list[float], again: bool) -> int:
    """Make the runs that are missing in the evidence of a page.

    Args:
        page: The notebook.
        seeds: How many seeds besides the page's own.
        threads: Numbers of threads, at the page's own budget.
        budgets: Budgets.
        again: Whether stored runs whose code is not that of the page are made again.

    Returns:
        How many runs could not be stored.
    """
    notebook = nbformat.read(page, as_version=4)
    runs = plan(parameters(notebook, page.name)["SEED"], seeds, threads, budgets)
    code = hash_of_code(notebook)
    path = page.parent / "evidence" / f"{page.stem}.json"
    stored = {key_of(run): run for run in read(path)} if path.exists() else {}
    others = [name_of(run) for run in stored.values() if run["code"] != code]
    if others and not again:
        print(f"{page.stem}: kept, though the code has changed since (AGAIN=1 repeats them):")
        print("\n".join(f"  {name}" for name in others))
    missing = 0
    for count, run in enumerate(runs, start=1):
        where = f"{page.stem} {name_of(run)}"
        old = stored.get(key_of(run))
        if old and (old["code"] == code or not again):
            print(f"{where}: stored already ({count} of {len(runs)})", flush=True)
            continue
        start = time.perf_counter()
        try:
            result = execute(notebook, page, run, _shower(where, start))
        except EvidenceError as error:
            missing += 1
            print(f"{where}: {error}", flush=True)
            continue
        seconds = round(time.perf_counter() - start)
        command = _command(page, seeds, threads, budgets)
        stored[key_of(run)] = {
            **run,
            **result,
            "seconds": seconds,
            "command": command,
            "code": code,
        }
        write(path, list(stored.values()))
        print(f"{where}: stored after {seconds} s ({count} of {len(runs)})", flush=True)
        for finding in result["failed"]:
            print(f"  failed in cell {finding['cell']}: {finding['error']}", flush=True)
    return missing


def _shower(where, start):
    """Show a live line on a terminal, and elsewhere only the start of a run."""

    def show(number, cells):
        if sys.stdout.isatty():
            seconds = time.perf_counter() - start
            line = f"{where}: cell {number} of {cells}, {seconds:.0f} s"
            print(f"\r\x1b[K{line}", end="\r", flush=True)
        elif number == 1:
            print(f"{where}: {cells} cells", flush=True)

    return show


def _command(page, seeds, threads, budgets):
    command = f"make evidence CHAPTER={page.stem.partition('_')[0]} SEEDS={seeds}"
    for name, numbers in (("THREADS", threads), ("BUDGET", budgets)):
        command += f' {name}="{" ".join(map(str, numbers))}"' if numbers else ""
    return command


def _budget(text):
    value = float(text)
    return int(value) if value.is_integer() else value


def main(arguments: list[str] | None = None) -> int:
    """Make evidence as the command line says; give the exit status."""
    parser = argparse.ArgumentParser(prog="tools.evidence", description=__doc__)
    parser.add_argument("chapter", help="05, 05_fcn or the path of a notebook")
    parser.add_argument("--seeds", type=int, default=0, help="how many seeds besides the page's")
    parser.add_argument("--threads", type=int, nargs="+", default=[])
    parser.add_argument("--budgets", type=_budget, nargs="+", default=[])
    parser.add_argument("--again", action="store_true", help="repeat the runs of other code")
    options = vars(parser.parse_args(arguments))
    chapter = options.pop("chapter")
    try:
        page = find(chapter).resolve()
        with locked(page):
            return 1 if make(page, **options) else 0
    except (EvidenceError, PageError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # The cell that was interrupted fails, too, and nobody waits for its answer any more.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        print("\ninterrupted; what is stored stays, and the same command goes on from there")
        return 130


if __name__ == "__main__":
    sys.exit(main())
