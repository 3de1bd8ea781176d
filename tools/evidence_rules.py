"""The rules that tie what a page says to the evidence stored beside it.

A rule takes a notebook and its stored runs and returns its complaints, one string each; none means
that it is kept.
"""

import re
from dataclasses import dataclass, field

from segbook.evidence import flat, name_of
from tools.evidence import THREADS, seeds_in_order
from tools.evidence_run import parameters
from tools.notebooks import SECTION_NUMBER

PRINTS = ("notes.ranges(", "notes.values(")
WORDS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
NUMBERS = {word: number for number, word in enumerate(WORDS.split("|"), start=1)}
COUNT = rf"\b(?P<count>\d+|{WORDS})"
# "three seeds", "all six seeds", "three other seeds", "one seed of three".
COUNTED_SEEDS = (
    re.compile(rf"{COUNT} (?P<other>(?:other|more|further) )?(?:random )?seeds\b", re.IGNORECASE),
    re.compile(rf"\bseeds? (?:out )?of {COUNT}\b", re.IGNORECASE),
)
# "three times the budget", "ten times as many steps".
LARGER_BUDGET = re.compile(
    rf"{COUNT} times (?:as long|as many\b(?! \w)"
    r"|(?:the|as many|our|this) (?:\w+ )?(?:budget|steps|batches|epochs|training))\b",
    re.IGNORECASE,
)
SPEAKS_OF_RUNS = (
    *COUNTED_SEEDS,
    LARGER_BUDGET,
    # Several seeds; not "a function seeds every generator", nor "epochs and seeds".
    re.compile(r"(?<!and )\bseeds\b(?! every)", re.IGNORECASE),
    re.compile(r"\b(?:one|every|each|another|one more|seed to) seed\b", re.IGNORECASE),
    re.compile(r"\b(?:one|two|both|1|2) threads?\b|\b(?:two|both|all) budgets\b", re.IGNORECASE),
    re.compile(r"\b(?:larger|longer|other|smaller) (?:budget|training)s?\b", re.IGNORECASE),
    re.compile(r"\btwice (?:the|as many) (?:budget|steps|epochs|training)\b", re.IGNORECASE),
)
# Ranges typed by hand, but for a paper's: "0.39 to 0.40", "1% to 9%", "between 0.3 and 0.4".
TYPED_RANGE = re.compile(
    r"\d\.\d+%? to -?\d+\.\d|\b\d+% to \d|\bbetween \d\.\d+ and \d|\branges? over\b", re.IGNORECASE
)
OF_A_PAPER = re.compile(r"\bpapers?\b|\[\d+\]", re.IGNORECASE)
SECTION = re.compile(rf"\b[Ss]ections? ({SECTION_NUMBER})")


@dataclass
class Section:
    """What stands between two headings."""

    heading: str = ""
    sentences: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)


def sections(notebook) -> list[Section]:
    """Split a page at its headings."""
    found = [Section()]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found[-1].code.append(cell.source)
            continue
        # A heading, a row of a table and an item of a list each end what stands before.
        for block in re.split(r"\n(?=\s*\n|#|\||\s*[-*] |\s*\d+\. )|(?<=\|)\n", cell.source):
            first, _, rest = block.strip().partition("\n")
            if first.startswith("#"):
                found.append(Section(first.lstrip("# "), [first]))
                block = rest
            text = " ".join(block.split())
            found[-1].sentences += re.split(r"(?<=[.!?]) (?=[A-Z*`\[])", text)
    return found


def speaks_of_runs(sentence: str) -> bool:
    """Whether a sentence speaks of several seeds, of ranges over runs or of larger budgets."""
    if any(pattern.search(sentence) for pattern in SPEAKS_OF_RUNS):
        return True
    return bool(TYPED_RANGE.search(sentence)) and not OF_A_PAPER.search(sentence)


def prints_the_runs_it_speaks_of(notebook, runs):
    """Complain of seeds, ranges and larger budgets in the text that no cell prints.

    The cell stands in the same section, or in one that the sentence names: "section 5.4".
    """
    parts = sections(notebook)
    printing, inside = set(), None
    for part in parts:
        number = re.match(SECTION_NUMBER, part.heading)
        inside = number.group() if number else inside
        if _prints(part):
            printing.add(inside)
    return [
        f"{part.heading!r}: no cell prints stored runs, but the text says: {sentence}"
        for part in parts
        for sentence in part.sentences
        if speaks_of_runs(sentence)
        and not _prints(part)
        and not printing.intersection(SECTION.findall(sentence))
    ]


def holds_the_runs_it_counts(notebook, runs):
    """Complain unless as many seeds are stored as the text counts, at each budget it names."""
    complaints = []
    for sentence in (sentence for part in sections(notebook) for sentence in part.sentences):
        budgets = [_number(found["count"]) for found in LARGER_BUDGET.finditer(sentence)]
        counts = [
            _number(found["count"]) + bool(found.groupdict().get("other"))
            for pattern in COUNTED_SEEDS
            for found in pattern.finditer(sentence)
        ]
        for budget in {1, *budgets}:
            stored = len({run["seed"] for run in runs if run["budget"] == budget})
            if stored < max(counts, default=1):
                complaints.append(
                    f"{stored} seeds at budget {budget}, but the text says: {sentence}"
                )
    return complaints


def holds_whole_runs(notebook, runs):
    """Complain unless the page's own run is stored, every run is whole, and no seed was chosen."""
    own = parameters(notebook, "the page")["SEED"]
    mine = [r for r in runs if (r["seed"], r["budget"], r["threads"]) == (own, 1, THREADS)]
    if not mine:
        return [f"the page's own run is not stored: seed {own} budget 1 threads {THREADS}"]
    names = flat(mine[0]["notes"]).keys()
    complaints = [
        f"{name_of(run)} holds other names than the page's own run: "
        f"{sorted(names ^ flat(run['notes']).keys())}"
        for run in runs
        if flat(run["notes"]).keys() != names
    ]
    for budget, threads in sorted({(run["budget"], run["threads"]) for run in runs}):
        seeds = {r["seed"] for r in runs if (r["budget"], r["threads"]) == (budget, threads)}
        expected = set(seeds_in_order(own, len(seeds) - 1))
        if seeds != expected:
            complaints.append(
                f"budget {budget} threads {threads}: seeds {sorted(seeds)}, "
                f"expected the page's own and then 1, 2, 3, ...: {sorted(expected)}"
            )
    return complaints


def asserts_what_holds_on_every_seed(notebook, runs):
    """Complain of every assertion that failed at the page's own budget."""
    return [
        f"{name_of(run)}: cell {finding['cell']}: {finding['error']}"
        for run in runs
        if run["budget"] == 1
        for finding in run["failed"]
    ]


RULES = [
    prints_the_runs_it_speaks_of,
    holds_the_runs_it_counts,
    holds_whole_runs,
    asserts_what_holds_on_every_seed,
]


def _prints(part):
    return any(call in source for source in part.code for call in PRINTS)


def _number(text):
    return NUMBERS.get(text.lower()) or int(text)
