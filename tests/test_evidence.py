"""A page notes its numbers, prints the stored ones, and compares both."""

import json

import keras
import numpy as np
import pytest

from segbook.evidence import RECORD, EvidenceError, Notes, read

COMMAND = "make evidence CHAPTER=05"


def run(seed=5, budget=1, threads=2, notes=None, **changes):
    """A stored run."""
    return {
        "seed": seed,
        "budget": budget,
        "threads": threads,
        "seconds": 3,
        "command": COMMAND,
        "versions": {"backend": "tensorflow"},
        "machine": {"processors": 2},
        "code": "0123456789ab",
        "notes": {"loss": 0.25} if notes is None else notes,
        "failed": [],
    } | changes


def store(folder, runs, **changes):
    path = folder / "05_fcn.json"
    path.write_text(json.dumps({"format": 1, "chapter": "05_fcn", "runs": runs} | changes))
    return path


def notes_in(folder, *, seed=5, budget=1):
    return Notes("05_fcn", seed=seed, budget=budget, folder=str(folder))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (0.123456789, 0.123457),
        (np.float32(0.5), 0.5),
        (7, 7),
        (31_031_745, 31_031_745),
        (np.array([0.5, np.nan]), [0.5, None]),
        ({"car": 0.5, "pole": float("nan")}, {"car": 0.5, "pole": None}),
        ((1, 2), [1, 2]),
    ],
    ids=str,
)
def test_note_keeps(tmp_path, value, kept):
    notes = notes_in(tmp_path)
    notes.note("loss", value)
    assert notes.live == {"loss": kept}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("loss", float("inf"), "value=inf of 'loss' must be finite"),
        ("loss", "0.5", "value='0.5' of 'loss' must be a number"),
        ("loss", True, "value=True of 'loss' must be a number"),
        ("loss", None, "value=None of 'loss' must be a number"),
        ("loss", [], r"value=\[\] of 'loss' must be a number"),
        ("loss", {"a": {"b": 1}}, r"value=.* of 'loss' must be a number"),
        ("loss", [[1, 2]], r"value=.* of 'loss' must be a number"),
        ("IoU: car", 1, "name='IoU: car' must be a text without"),
        ("", 1, "name='' must be a text without"),
    ],
)
def test_note_refuses(tmp_path, name, value, message):
    with pytest.raises(ValueError, match=message):
        notes_in(tmp_path).note(name, value)


def test_recording(tmp_path, monkeypatch, capsys):
    record = tmp_path / "notes.jsonl"
    monkeypatch.setenv(RECORD, str(record))
    notes = notes_in(tmp_path)
    notes.note("loss", [0.5, float("nan")])
    with pytest.raises(ValueError, match="name='loss' is noted twice"):
        notes.note("loss", 0.5)
    np.testing.assert_array_equal(notes.values("loss", budget=3), [[0.5, np.nan]])
    assert notes.ranges("loss") == f"no stored runs yet: {COMMAND}"
    notes.agree(0)
    assert capsys.readouterr().out == "2 numbers noted\n"
    head, line = (json.loads(line) for line in record.read_text().splitlines())
    assert (head["chapter"], head["seed"], head["budget"]) == ("05_fcn", 5, 1)
    assert line == {"name": "loss", "value": [0.5, None]}


RUNS = [
    run(1, notes={"loss": 0.5, "IoU": {"car": 0.7, "pole": None}}),
    run(5, notes={"loss": 0.2501, "IoU": {"car": 0.8, "pole": 0.1}}),
    run(5, threads=1, notes={"loss": 0.2499, "IoU": {"car": 0.9, "pole": None}}),
    run(5, budget=3, notes={"loss": 0.1, "IoU": {"car": 0.95, "pole": None}}),
]


@pytest.mark.parametrize(
    ("names", "digits", "expected"),
    [
        (
            ["loss"],
            2,
            """\
       budget 1       budget 3
loss   0.25 to 0.50   0.10
runs at budget 1: 3 (seeds 1, 5; threads 1, 2)
runs at budget 3: 1 (seeds 5; threads 2)""",
        ),
        (
            ["IoU", "IoU: car"],
            1,
            """\
            budget 1                   budget 3
IoU: car    0.7 to 0.9                 0.9
IoU: pole   0.1 (2 of 3 undefined)     undefined
IoU: car    0.7 to 0.9                 0.9
runs at budget 1: 3 (seeds 1, 5; threads 1, 2)
runs at budget 3: 1 (seeds 5; threads 2)""",
        ),
    ],
)
def test_ranges(tmp_path, names, digits, expected):
    store(tmp_path, RUNS)
    table = notes_in(tmp_path).ranges(*names, digits=digits)
    assert [line.split() for line in table.splitlines()] == [
        line.split() for line in expected.splitlines()
    ]
    columns = [line.find("0.") for line in table.splitlines()[1:-2]]
    assert len(set(columns)) == 1, "the columns are aligned"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-0.001, 0.004], "0.00"),
        ([-0.01, 0.004], "-0.01 to 0.00"),
        ([1, 20], "1.00 to 20.00"),
        ([None, 0.5], "0.50 (1 of 2 undefined)"),
        ([None, None], "undefined"),
    ],
    ids=str,
)
def test_range(tmp_path, values, expected):
    store(tmp_path, [run(seed, notes={"loss": value}) for seed, value in enumerate(values)])
    row = notes_in(tmp_path).ranges("loss", digits=2).splitlines()[1]
    assert row == f"loss   {expected}"


@pytest.mark.parametrize(
    ("name", "budget", "expected"),
    [
        ("loss", 1, [0.5, 0.2499, 0.2501]),
        ("loss", 3, [0.1]),
        ("IoU", 1, [[0.7, np.nan], [0.9, np.nan], [0.8, 0.1]]),
        ("IoU: car", 1, [0.7, 0.9, 0.8]),
    ],
)
def test_values(tmp_path, name, budget, expected):
    store(tmp_path, RUNS)
    np.testing.assert_array_equal(notes_in(tmp_path).values(name, budget=budget), expected)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda n: n.values("loss"), f"05_fcn.json is missing: {COMMAND}"),
        (lambda n: n.agree(1), f"05_fcn.json is missing: {COMMAND}"),
    ],
)
def test_missing_file(tmp_path, ask, message):
    notes = notes_in(tmp_path)
    assert notes.ranges("loss") == f"no stored runs yet: {COMMAND}"
    with pytest.raises(EvidenceError, match=message):
        ask(notes)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda n: n.values("IoU: bus"), f"run without 'IoU: bus': {COMMAND} AGAIN=1"),
        (lambda n: n.ranges("accuracy"), f"run without 'accuracy': {COMMAND} AGAIN=1"),
        (lambda n: n.values("loss", budget=10), f"no run at budget 10: {COMMAND} BUDGET=10"),
    ],
)
def test_missing_runs_and_names(tmp_path, ask, message):
    store(tmp_path, RUNS)
    with pytest.raises(EvidenceError, match=message):
        ask(notes_in(tmp_path))


NAN = float("nan")


@pytest.mark.parametrize(
    ("live", "tolerances", "disagreeing"),
    [
        ({"loss": 0.2, "IoU": {"car": 0.8, "pole": 0.1}}, (0.06, None), []),
        ({"loss": 0.2, "IoU": {"car": 0.8, "pole": 0.1}}, (0.04, None), ["loss: live 0.2"]),
        ({"loss": 0.25, "IoU": {"car": 0.87, "pole": NAN}}, (0.04, None), []),
        ({"loss": 0.25, "IoU": {"car": 0.7, "pole": 0.3}}, (0.04, None), ["IoU: car", "IoU: pole"]),
        ({"loss": 0.25, "IoU": {"car": 0.7, "pole": 0.3}}, (0.04, {"IoU": 0.2}), []),
        (
            {"loss": 0.25, "IoU": {"car": 0.7, "pole": 0.3}},
            (0.04, {"IoU": 0.2, "IoU: p": 0.1}),
            ["IoU: pole"],
        ),
        (
            {"loss": NAN, "IoU": {"car": 0.8, "pole": NAN}},
            (9, None),
            ["loss: live nan, stored 0.2"],
        ),
    ],
)
def test_agree(tmp_path, capsys, live, tolerances, disagreeing):
    store(tmp_path, [r | {"versions": {"backend": BACKEND}} for r in RUNS])
    notes = notes_in(tmp_path)
    for name, value in live.items():
        notes.note(name, value)
    tolerance, by_prefix = tolerances
    if disagreeing:
        with pytest.raises(AssertionError, match=f"{len(disagreeing)} of 3 numbers") as caught:
            notes.agree(tolerance, by_prefix=by_prefix)
        lines = str(caught.value).splitlines()[1:]
        assert [n in line for n, line in zip(disagreeing, lines, strict=True)]
    else:
        notes.agree(tolerance, by_prefix=by_prefix)
        assert capsys.readouterr().out == "3 numbers agree with the stored run\n"


def test_agree_leaves_out(tmp_path, capsys):
    store(tmp_path, [r | {"versions": {"backend": BACKEND}} for r in RUNS])
    notes = notes_in(tmp_path)
    for name, value in {"loss": 0.2, "IoU": {"car": 9.0, "pole": NAN}}.items():
        notes.note(name, value)
    notes.agree(0.06, leave_out=("IoU",))
    assert capsys.readouterr().out == "1 numbers agree with the stored run, 2 are not compared\n"
    with pytest.raises(AssertionError, match="1 of 2 numbers"):
        notes.agree(0.06, leave_out=("IoU: p",))


BACKEND = keras.backend.backend()


@pytest.mark.parametrize(
    ("seed", "budget", "message"),
    [
        (6, 1, f"no run with seed 6 and budget 1.*{COMMAND}"),
        (5, 2, f"no run with seed 5 and budget 2.*{COMMAND}"),
        (5, 1, rf"stale: {COMMAND} AGAIN=1\n.*\['new'\]\n.*\['loss'\]"),
    ],
)
def test_agree_with_nothing(tmp_path, seed, budget, message):
    store(tmp_path, [run(versions={"backend": BACKEND})])
    notes = notes_in(tmp_path, seed=seed, budget=budget)
    notes.note("new", 0.25)
    with pytest.raises(EvidenceError, match=message):
        notes.agree(1)


def test_agree_leaves_other_backends_alone(tmp_path, capsys):
    store(tmp_path, [run(versions={"backend": "numpy"})])
    notes_in(tmp_path).agree(0)
    assert "not compared: stored with numpy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_text(path.read_text()[:-40]), "is not JSON"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "is not JSON"),
        (lambda path: path.write_text("[]"), "'format' is None, expected 1"),
        (lambda path: store(path.parent, [run()], format=2), "'format' is 2, expected 1"),
        (
            lambda path: store(path.parent, [run()], chapter="06_unet"),
            "'chapter' is '06_unet', expected '05_fcn'",
        ),
        (lambda path: store(path.parent, []), "'runs' must be a list of at least one run"),
        (lambda path: store(path.parent, [1]), "run 1: 'seed' is None, which is missing or no int"),
        (lambda path: store(path.parent, [run(code=None)]), "run 1: 'code' is None"),
        (
            lambda path: store(path.parent, [run(), run(6, budget="1")]),
            "run 2: 'budget' is '1', which is missing or no number",
        ),
        (
            lambda path: store(path.parent, [run(notes={"loss": "0.5"})]),
            "the note 'loss' holds '0.5', no number",
        ),
        (
            lambda path: store(path.parent, [run(notes={"loss": [float("inf")]})]),
            "the note 'loss' holds inf, no number",
        ),
        (
            lambda path: store(path.parent, [run(), run()]),
            "holds seed 5 budget 1 threads 2 twice",
        ),
    ],
)
def test_malformed_file(tmp_path, spoil, message):
    path = store(tmp_path, [run()])
    assert len(read(path)) == 1
    spoil(path)
    with pytest.raises(EvidenceError, match=f"05_fcn.json.*{message}"):
        read(path)
