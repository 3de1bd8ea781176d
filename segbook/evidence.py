"""Evidence: the numbers that the claims of a page rest on, in this run and in stored ones.

A page notes its numbers. `make evidence` executes the same page with other seeds, thread counts and
budgets, and stores what was noted in `evidence/NN_name.json` beside it. The page prints its ranges
from there, and compares its live numbers with the stored run of its own seed and budget.
"""

import itertools
import json
import math
import os
import platform
import sys
from pathlib import Path

import numpy as np

FORMAT = 1
# The variable names a file in which a run is recorded; `make evidence` sets it.
RECORD = "SEGBOOK_EVIDENCE"
PART = ": "  # parts the name of a note from the key of one of its numbers
PACKAGES = ("numpy", "keras", "tensorflow", "jax", "torch")
NUMBER = (int, float)
FIELDS = {
    "seed": int,
    "budget": NUMBER,
    "threads": int,
    "seconds": NUMBER,
    "command": str,
    "versions": dict,
    "machine": dict,
    "code": str,
    "notes": dict,
    "failed": list,
}


class EvidenceError(ValueError):
    """Stored evidence is missing, malformed or stale, or a page does not make any."""


class Notes:
    """What one page notes, and what is stored of its runs.

    While `make evidence` records a run, the file is not read: its runs are still to come.

    Args:
        chapter: The name of the page, such as `"05_fcn"`.
        seed: The seed of the page.
        budget: The factor by which the page multiplies its training steps.
        folder: Where the file is, seen from the page.
    """

    def __init__(self, chapter: str, *, seed: int, budget: float, folder: str = "evidence"):
        self.chapter, self.seed, self.budget = chapter, seed, budget
        self.path = Path(folder) / f"{chapter}.json"
        self.live = {}
        self._record = os.environ.get(RECORD)
        self._command = f"make evidence CHAPTER={chapter.partition('_')[0]}"
        self._append({"chapter": chapter, "seed": seed, "budget": budget, **_surroundings()})

    def note(self, name: str, value) -> None:
        """Keep a number that a claim rests on, to six significant digits.

        NaN says that a number is undefined, such as the precision of a class never predicted; it is
        stored as null. A cell that is run again replaces its note.

        Args:
            name: What the number is, such as `"mean IoU"`; one name for one note.
            value: A number, or a flat list, array or dictionary of numbers.

        Raises:
            ValueError: If the value is infinite, empty, nested or no number, if the name holds
                `": "`, or if a name is noted twice while a run is recorded.
        """
        if not name or PART in name:
            raise ValueError(f"name={name!r} must be a text without {PART!r}.")
        if self._record and name in self.live:
            raise ValueError(f"name={name!r} is noted twice; each note must have its own name.")
        self.live[name] = _plain(name, value)
        self._append({"name": name, "value": self.live[name]})

    def values(self, name: str, *, budget: float = 1) -> np.ndarray:
        """Give what the stored runs at one budget noted.

        While a run is recorded, its own value stands in for the stored ones.

        Args:
            name: A name, or a name and a key: `"IoU"` or `"IoU: car"`.
            budget: The budget.

        Returns:
            `(runs,)` for a number, `(runs, n)` for a list or a dictionary; NaN where undefined.
            Ordered by seed, then by the number of threads.

        Raises:
            EvidenceError: If there is no file, or a run at this budget without the name.
        """
        if self._record:
            return np.array([self._find(self.live, name)], float)
        runs = [run for run in self._runs() if run["budget"] == budget]
        if not runs:
            raise EvidenceError(
                f"{self.path} holds no run at budget {budget}: {self._command} BUDGET={budget}"
            )
        return np.array([self._find(run["notes"], name) for run in runs], float)

    def ranges(self, *names: str, digits: int = 3) -> str:
        """Write a table of the smallest and the largest stored number, for each budget.

        Args:
            *names: Names of notes, or names and keys. A list or a dictionary gives a row for each
                of its numbers.
            digits: Digits behind the decimal point.

        Returns:
            The table, and a line a budget that says which runs it holds. Without a file, a line
            that says how to make it.

        Raises:
            EvidenceError: If a run does not hold a name.
        """
        if self._record or not self.path.exists():
            return f"no stored runs yet: {self._command}"
        runs = self._runs()
        budgets = sorted({run["budget"] for run in runs})
        keys = [row for name in names for row in self._rows(runs[0]["notes"], name)]
        table = [["", *(f"budget {budget:g}" for budget in budgets)]]
        for key in keys:
            columns = [self.values(key, budget=budget) for budget in budgets]
            table.append([key, *(_range(column, digits) for column in columns)])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            for row in table
        ]
        lines += [
            _contents(budget, [r for r in runs if r["budget"] == budget]) for budget in budgets
        ]
        return "\n".join(line.rstrip() for line in lines)

    def agree(
        self,
        tolerance: float,
        *,
        by_prefix: dict[str, float] | None = None,
        leave_out: tuple[str, ...] = (),
    ) -> None:
        """Compare every live number with the stored run of the same seed and budget.

        Where runs with several thread counts are stored, the nearest counts. Prints one line.
        Another backend draws other initial weights, so nothing is compared there.

        Args:
            tolerance: The largest difference allowed between numbers, absolute.
            by_prefix: Other tolerances, for names that begin like this; the longest prefix counts.
            leave_out: Names that begin like one of these are not compared, because threads alone
                change them too much; the line says how many they are.

        Raises:
            AssertionError: If numbers differ by more.
            EvidenceError: If no such run is stored, or if it holds other names than this one.
        """
        live = flat(self.live)
        if self._record:
            print(f"{len(live)} numbers noted")
            return
        own = [r for r in self._runs() if (r["seed"], r["budget"]) == (self.seed, self.budget)]
        if not own:
            raise EvidenceError(
                f"{self.path} holds no run with seed {self.seed} and budget {self.budget:g}, so "
                f"there is nothing to compare with: {self._command}"
            )
        backend, stored = _surroundings()["versions"]["backend"], own[0]["versions"].get("backend")
        if backend != stored:
            print(f"not compared: stored with {stored}, run with {backend}")
            return
        runs = [flat(run["notes"]) for run in own]
        for run in runs:
            if run.keys() != live.keys():
                raise EvidenceError(
                    f"{self.path} is stale: {self._command} AGAIN=1\n"
                    f"  noted, not stored: {sorted(live.keys() - run.keys())}\n"
                    f"  stored, not noted: {sorted(run.keys() - live.keys())}"
                )
        wrong = []
        compared = {n: v for n, v in live.items() if not n.startswith(tuple(leave_out))}
        for name, value in compared.items():
            allowed = _tolerance(name, tolerance, by_prefix or {})
            others = [run[name] for run in runs]
            if not any(_close(value, other, allowed) for other in others):
                found = " and ".join(f"{other:g}" for other in others)
                wrong.append(f"  {name}: live {value:g}, stored {found}, allowed {allowed:g}")
        if wrong:
            raise AssertionError(
                f"{len(wrong)} of {len(compared)} numbers do not agree with {self.path}:\n"
                + "\n".join(wrong)
            )
        rest = len(live) - len(compared)
        print(
            f"{len(compared)} numbers agree with the stored run"
            + (f", {rest} are not compared" if rest else "")
        )

    def _append(self, line):
        if self._record:
            with open(self._record, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def _runs(self):
        if not self.path.exists():
            raise EvidenceError(f"{self.path} is missing: {self._command}")
        return read(self.path)

    def _find(self, notes, name):
        if name in notes:
            value = notes[name]
            return list(value.values()) if isinstance(value, dict) else value
        if name in flat(notes):
            return flat(notes)[name]
        raise EvidenceError(f"{self.path} holds a run without {name!r}: {self._command} AGAIN=1")

    def _rows(self, notes, name):
        self._find(notes, name)
        return list(flat({name: notes[name]})) if name in notes else [name]


def read(path: Path) -> list[dict]:
    """Read the stored runs of a page.

    Args:
        path: The file; its name is that of the page.

    Returns:
        The runs, sorted by budget, seed and threads.

    Raises:
        EvidenceError: If the file is malformed, or belongs to another format or page.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvidenceError(f"{path} is not JSON: {error}") from None
    stored = stored if isinstance(stored, dict) else {}
    for key, expected in (("format", FORMAT), ("chapter", path.stem)):
        if stored.get(key) != expected:
            raise EvidenceError(f"{path}: {key!r} is {stored.get(key)!r}, expected {expected!r}")
    runs = stored.get("runs")
    if not isinstance(runs, list) or not runs:
        raise EvidenceError(f"{path}: 'runs' must be a list of at least one run")
    for number, run in enumerate(runs, start=1):
        _check(f"{path}, run {number}", run)
    runs.sort(key=key_of)
    for run, following in itertools.pairwise(runs):
        if key_of(run) == key_of(following):
            raise EvidenceError(f"{path} holds {name_of(run)} twice")
    return runs


def key_of(run: dict) -> tuple:
    """Give what tells a run from the others of its page: budget, seed and threads."""
    return run["budget"], run["seed"], run["threads"]


def name_of(run: dict) -> str:
    """Name a run, as in `seed 2 budget 1 threads 2`."""
    return f"seed {run['seed']} budget {run['budget']:g} threads {run['threads']}"


def flat(notes: dict) -> dict[str, float]:
    """Give the single numbers of notes: `"IoU: car"` for the key `"car"` of the note `"IoU"`."""
    numbers = {}
    for name, value in notes.items():
        if isinstance(value, list):
            value = dict(enumerate(value))
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        for key, number in parts:
            whole = name if key is None else f"{name}{PART}{key}"
            numbers[whole] = math.nan if number is None else float(number)
    return numbers


def _check(where, run):
    run = run if isinstance(run, dict) else {}
    for field, kind in FIELDS.items():
        if not isinstance(run.get(field), kind):
            wanted = "number" if kind is NUMBER else kind.__name__
            raise EvidenceError(
                f"{where}: {field!r} is {run.get(field)!r}, which is missing or no {wanted}"
            )
    for name, value in run["notes"].items():
        values = list(value.values()) if isinstance(value, dict) else value
        for number in values if isinstance(values, list) else [values]:
            if number is not None and (
                type(number) not in (int, float) or not math.isfinite(number)
            ):
                raise EvidenceError(f"{where}: the note {name!r} holds {number!r}, no number")


def _plain(name, value):
    """Turn a value into what JSON holds: rounded numbers, null for NaN."""
    if isinstance(value, dict):
        keys = [str(key) for key in value]
        return dict(zip(keys, _plain(name, list(value.values())), strict=True))
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.ndim > 1 or not array.size:
        raise ValueError(
            f"value={value!r} of {name!r} must be a number, or a flat list, array or dictionary "
            "of numbers."
        )
    if np.isinf(array).any():
        raise ValueError(
            f"value={value!r} of {name!r} must be finite, or NaN where it is undefined."
        )
    if array.dtype.kind in "iu":
        return array.tolist()
    rounded = [None if math.isnan(x) else float(f"{x:.6g}") for x in array.ravel().tolist()]
    return rounded if array.ndim else rounded[0]


def _range(values, digits):
    known = values[~np.isnan(values)]
    if not known.size:
        return "undefined"
    # Adding zero turns -0.00 into 0.00.
    ends = (round(float(end), digits) + 0 for end in (known.min(), known.max()))
    low, high = (f"{end:.{digits}f}" for end in ends)
    text = low if low == high else f"{low} to {high}"
    missing = values.size - known.size
    return f"{text} ({missing} of {values.size} undefined)" if missing else text


def _contents(budget, runs):
    seeds, threads = (
        ", ".join(str(n) for n in sorted({run[key] for run in runs})) for key in ("seed", "threads")
    )
    return f"runs at budget {budget:g}: {len(runs)} (seeds {seeds}; threads {threads})"


def _tolerance(name, tolerance, by_prefix):
    fitting = [prefix for prefix in by_prefix if name.startswith(prefix)]
    return by_prefix[max(fitting, key=len)] if fitting else tolerance


def _close(a, b, tolerance):
    return (math.isnan(a) and math.isnan(b)) or abs(a - b) <= tolerance


def _surroundings():
    """Versions and machine, without a name or a path."""
    loaded = {name: sys.modules[name] for name in PACKAGES if name in sys.modules}
    versions = {name: str(module.__version__) for name, module in loaded.items()}
    versions["python"] = platform.python_version()
    versions["backend"] = loaded["keras"].backend.backend() if "keras" in loaded else "none"
    return {
        "versions": versions,
        "machine": {"processors": os.cpu_count(), "architecture": platform.machine()},
    }
