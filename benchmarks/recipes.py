"""Measure what each change of one recipe does to one segmentation network, for chapter 13.

    python -m benchmarks.recipes                            # what the stored table lacks
    python -m benchmarks.recipes flip --out /tmp/flip.json  # one row once more, from its rate on

A row is one change of the baseline. It is trained with every seed, and compared with the baseline's
training of the same seed. A row with several rates first chooses one by the validation pictures,
with seed 0, which takes no part afterwards. All results lie in one JSON file, written after each
training: the same command may be given again at any time and goes on where it stopped. What a row
needs of other rows (what it is compared with, the seconds of a step, what helped) comes from the
stored table where the file lacks it.
"""

from segbook import baselines, losses, metrics, pipeline, runtime

import argparse
import functools
import json
import time
from pathlib import Path

import keras
import numpy as np
from scipy import stats
from sklearn.model_selection import ParameterSampler

from benchmarks import recipes_training as t
from benchmarks.recipes_training import RATE, STEPS, WIDTHS, headless, network

OUT = Path("chapters/evidence/13_recipes_table.json")
SEEDS = (1, 2, 3, 4, 5)
AGAIN = (6, 7, 8, 9, 10)  # new ones, for what helps
CHOOSES = 0  # the seed with which rates and searches choose
ADAM, OPT, INIT = keras.optimizers.Adam, keras.optimizers, keras.initializers
NEAR = (RATE / 3, RATE, 3 * RATE)
HIGH = (RATE, 3 * RATE, 10 * RATE)  # for rates that fall
LOW = (RATE / 10, RATE / 3, RATE)  # without batch normalisation
LONG = 3 * STEPS
BATCHES = (1, 4, 32)  # besides the baseline's 8


def net(**options):
    """Give a function that makes the network with these options, equal for equal ones."""
    return with_options(network, **options)


def with_options(maker, **options):
    """Give `maker` with options, equal for equal ones."""
    return _with_options(maker, tuple(sorted(options.items())))


@functools.cache
def _with_options(maker, options):
    return functools.partial(maker, **dict(options))


def everything():
    """Make the augmentation that does all that the single rows do."""
    return pipeline.chain(
        pipeline.warp(scale=(0.7, 1.5), rotate=10),
        pipeline.photometric(brightness=0.1, contrast=0.2, saturation=0.2, gamma=0.2),
    )


# What may be switched on: keyword arguments of `train`, and of `network` under "net".
AUGMENTATIONS = {
    "flip": pipeline.flip(),
    "rotate 10 degrees": pipeline.warp(rotate=10, mirror=0),
    "scale 0.7 to 1.5, crop": pipeline.warp(scale=(0.7, 1.5), mirror=0),
    "colour": pipeline.photometric(brightness=0.1, contrast=0.2, saturation=0.2, gamma=0.2),
    "all augmentations": everything(),
}
SCHEDULES = {
    "steps": t.in_steps,
    "exponential to 1/100": t.exponential,
    "cosine": t.cosine,
    "poly": t.poly,
    "warm-up": t.after_warm_up(t.constant),
    "warm-up, cosine": t.after_warm_up(t.cosine),
}
AVERAGE = {"averaged": True, "optimizer": with_options(ADAM, use_ema=True, ema_momentum=0.95)}
L1L2 = keras.regularizers.L1L2
PENALTIES = {
    "L2 1e-3": functools.partial(L1L2, l2=1e-3),
    "L1 1e-5, L2 1e-4": functools.partial(L1L2, l1=1e-5, l2=1e-4),
}
INITIALIZERS = {
    "zeros": INIT.Zeros,
    "Gaussian 0.01": functools.partial(INIT.RandomNormal, stddev=0.01),
    "uniform 0.05": functools.partial(INIT.RandomUniform, -0.05, 0.05),
    "Xavier": INIT.GlorotUniform,
}
SMOOTH = with_options(losses.CrossEntropy, label_smoothing=0.1)
CLIP = with_options(ADAM, global_clipnorm=1.0)


def single_rows():
    """List the rows that do not depend on results: name to (group, rates, changes, against)."""
    rows = {"baseline": ("baseline", NEAR, {}, "baseline")}

    def add(group, name, rates=(RATE,), against="baseline", **changes):
        rows[name] = (group, rates, changes, against)

    for name, augment in AUGMENTATIONS.items():
        add("augmentation", name, NEAR, augment=augment)
    add("decay", "staircase, rate 0.1", (0.1,), schedule=t.staircase)
    for name, schedule in SCHEDULES.items():
        add("decay", name, HIGH, schedule=schedule)
    add("normalisation", "no batch norm", (*LOW, 3 * RATE), build=net(batch_norm=False))
    add("normalisation", "batch norm momentum 0.99", build=net(momentum=0.99))
    add("regularisation", "dropout 0.2", NEAR, build=net(dropout=0.2))
    for name, penalty in PENALTIES.items():
        add("regularisation", name, NEAR, build=net(penalty=penalty))
    for decay in (0.004, 0.1):
        adamw = with_options(OPT.AdamW, weight_decay=decay)
        add("regularisation", f"AdamW, decay {decay:g}", optimizer=adamw)
    add("small aids", "clip the norm at 1", NEAR, optimizer=CLIP)
    add("small aids", "label smoothing 0.1", NEAR, loss=SMOOTH)
    add("small aids", "average of weights 0.95", NEAR, **AVERAGE)
    coarse = {"build": net(auxiliary=True), "auxiliary_weight": 0.4}
    add("small aids", "auxiliary loss 0.4", NEAR, **coarse)
    momentum = with_options(OPT.SGD, momentum=0.9)
    add("optimizer", "SGD", (0.1, 0.3, 1.0, 3.0), optimizer=OPT.SGD)
    add("optimizer", "momentum 0.9", (0.03, 0.1, 0.3), optimizer=momentum)
    add("optimizer", "RMSprop", (RATE / 10, *NEAR), optimizer=OPT.RMSprop)
    add("optimizer", "AdamW", (RATE / 10, *NEAR), optimizer=with_options(OPT.AdamW))
    for name, initializer in INITIALIZERS.items():
        add("initialisation", name, build=net(initializer=initializer))
    for name, initializer in INITIALIZERS.items():
        plain = net(initializer=initializer, batch_norm=False)
        rates = (RATE / 3,) if name == "zeros" else LOW  # zeros learn nothing at any rate
        add("initialisation", f"{name}, no batch norm", rates, "no batch norm", build=plain)
    for activation in ("sigmoid", "tanh"):
        add("activation", activation, build=net(activation=activation))
        plain = net(activation=activation, batch_norm=False)
        add("activation", f"{activation}, no batch norm", LOW, "no batch norm", build=plain)
    add("head", "convolutional head", build=with_options(headless, head="convolution"))
    dense = with_options(headless, head="dense")
    add("head", "dense head", NEAR[:2], "convolutional head", build=dense)
    sigmoids = {"loss": losses.BinaryCrossEntropy, "target": t.one_hot}
    add("output", "nine sigmoids", NEAR, **sigmoids)
    two, one = {"build": net(outputs=2)}, {"build": net(outputs=1), "loss": sigmoids["loss"]}
    pair = "cars: softmax of two"
    for name, changes in {pair: two, "cars: one sigmoid": one}.items():
        add("cars alone", name, NEAR, pair, target=t.is_car, **changes)
    for count in (20, 40, 80, 320):
        rates = NEAR if count < t.PICTURES else (RATE,)
        add("pictures", f"{count} pictures", rates, pictures=count)
    for name in ("flip", "all augmentations", "dropout 0.2"):
        changes = rows[name][2] | {"pictures": 20}
        add("few pictures", f"20 pictures, {name}", NEAR, "20 pictures", **changes)
    for width in (4, 16):
        add("width", f"width {width}", build=net(widths=tuple(w * width // 8 for w in WIDTHS)))
    for depth in (1, 2, 4):
        widths = (*WIDTHS, 64)[: depth + 1]
        add("depth", f"{depth} pooling{'s' * (depth > 1)}", build=net(widths=widths))
    for batch in BATCHES:
        rates = NEAR if batch < t.BATCH else HIGH
        add("batch, equal steps", f"batch {batch}", rates, batch=batch)
    return rows


def steps_in(seconds, results, *names):
    """Tell how many steps fit into the processor's seconds, by two rows of different lengths.

    A training has a cost before its first step, so the seconds are a line, not a multiple.
    """
    steps = [results[name].get("steps", STEPS) for name in names]
    price, start = np.polyfit(steps, [seconds_of(results, name) for name in names], 1)
    return round((seconds - start) / price)


def seconds_of(results, name):
    """Give the processor's seconds of a row, the median over its seeds."""
    return float(np.median([run["seconds"] for run in results[name]["runs"].values()]))


def other_totals(results):
    """List the batch sizes with the baseline's epochs, and then with its seconds as measured.

    The rate is the one that was chosen at equal steps.
    """
    rows = {}
    for batch in BATCHES:
        name = f"batch {batch}"
        rates = (results[name]["rate"],)
        totals = {"epochs": round(STEPS * t.BATCH / batch)}
        if is_done(results, f"{name}, epochs"):
            seconds = seconds_of(results, "baseline")
            totals["seconds"] = steps_in(seconds, results, name, f"{name}, epochs")
        for total, steps in totals.items():
            changes = {"batch": batch, "steps": steps}
            rows[f"{name}, {total}"] = (f"batch, equal {total}", rates, changes, "baseline")
    return rows


KINDS = ("augmentation", "decay", "regularisation", "small aids")
AIDS = (*KINDS, "optimizer", "few pictures", "3 times the steps", "together")


def joined(changes):
    """Join changes of several rows into one recipe."""
    together, options, arguments = {}, {}, {}
    for change in changes:
        together |= {k: v for k, v in change.items() if k not in ("build", "optimizer")}
        options |= change["build"].keywords if "build" in change else {}
        optimizer = change.get("optimizer", ADAM)
        arguments |= getattr(optimizer, "keywords", {})
    maker = OPT.AdamW if "weight_decay" in arguments else ADAM
    together["build"] = net(**options) if options else network
    together["optimizer"] = with_options(maker, **arguments) if arguments else maker
    return together


def longer(rows):
    """List rows with three times the steps."""
    found = {}
    for name, rates in LONGER.items():
        _, _, changes, against = rows[name]
        against = f"{against}, 3 times the steps"
        changes = changes | {"steps": LONG}
        row = ("3 times the steps", rates or (RATE,), changes, against)
        found[f"{name}, 3 times the steps"] = row
    return found


# Rows whose claim depends on the steps, with the rates to choose from, if not the baseline's.
LONGER = {
    "baseline": NEAR[:2],
    "all augmentations": None,
    "cosine": HIGH,
    "average of weights 0.95": None,
    "clip the norm at 1": None,
    "dropout 0.2": None,
    "flip": None,
    "label smoothing 0.1": None,
    "AdamW, decay 0.1": None,
    "20 pictures": None,
    "20 pictures, all augmentations": None,
    "no batch norm": LOW,
}


def helped(results, rows):
    """Choose the changes to join, all with three times the steps.

    Of each kind the best, if its mean effect on validation is above zero; of the small aids each
    one is a kind of its own.
    """
    best = {}
    for name in LONGER:
        group, _, _, _ = rows[name]
        if group not in KINDS:
            continue
        long = f"{name}, 3 times the steps"
        mean, _, _ = effect(results, long, "baseline, 3 times the steps", on="val")
        kind = name if group == "small aids" else group
        if mean > best.get(kind, ("", 0.0))[1]:
            best[kind] = (name, mean)
    return [name for name, _ in best.values()]


def combined(results, rows):
    """List the rows of all that helped together, and without each one of it."""
    names = helped(results, rows)

    def row(some, against):
        """Join some changes; the rate is that of the schedule among them."""
        changes = joined(rows[name][2] for name in some) | {"steps": LONG}
        decays = [name for name in some if rows[name][0] == "decay"]
        rates = [results[f"{name}, 3 times the steps"]["rate"] for name in decays]
        return "together", tuple(rates) or (RATE,), changes, against

    found = {}
    if len(names) > 1:
        found["together"] = row(names, "baseline, 3 times the steps")
        for left_out in names:
            rest = [name for name in names if name != left_out]
            found[f"together, without {left_out}"] = row(rest, "together")
    return found


def table_of(results):
    """List all rows that can be made with the results so far."""
    rows = single_rows()
    last = {name: row for name, row in rows.items() if row[0].startswith("batch, ")}
    single = {name: row for name, row in rows.items() if name not in last}
    rows = single | longer(single)
    if all(is_done(results, f"{name}, 3 times the steps") for name in LONGER):
        rows |= combined(results, single)
    rows |= last
    if all(is_done(results, name) for name in ("baseline", *last)):
        rows |= other_totals(results)
    return rows


def is_done(results, name):
    """Tell whether a row has a training of each of the five seeds."""
    return set(map(str, SEEDS)) <= set(results.get(name, {}).get("runs", {}))


def effect(results, name, against, *, on="test"):
    """Give the mean of the paired differences and the ends of its 95% interval of Student's t."""
    runs, others = (results[key]["runs"] for key in (name, against))
    found = np.array([runs[seed][on] - others[seed][on] for seed in runs if seed in others])
    half = stats.t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found))
    return found.mean(), found.mean() - half, found.mean() + half


# The search: the same options, by hand one after the other, or drawn at random.

SPACE = {
    "rate": [RATE, RATE / 3, 3 * RATE],
    "schedule": [t.constant, t.cosine, t.in_steps],
    "augment": [None, AUGMENTATIONS["flip"], AUGMENTATIONS["all augmentations"]],
    "dropout": [0.0, 0.2],
    "label_smoothing": [0.0, 0.1],
    "weight_decay": [0.0, 0.1],
    "ema": [False, True],
}


def as_changes(point):
    """Turn a point of the space into arguments of `train`."""
    options = {"weight_decay": point["weight_decay"]} if point["weight_decay"] else {}
    options |= {"use_ema": True, "ema_momentum": 0.95} if point["ema"] else {}
    maker = OPT.AdamW if point["weight_decay"] else ADAM
    return {
        "rate": point["rate"],
        "schedule": point["schedule"],
        "augment": point["augment"],
        "build": net(dropout=point["dropout"]) if point["dropout"] else network,
        "loss": SMOOTH if point["label_smoothing"] else losses.CrossEntropy,
        "optimizer": with_options(maker, **options) if options else maker,
        "averaged": point["ema"],
    }


def by_hand(space, try_out):
    """Try each option of each knob once, in order, and keep what is better; give the points."""
    point, tried = {knob: options[0] for knob, options in space.items()}, []
    best = try_out(point)
    tried.append((best, point))
    for knob, options in space.items():
        for option in options[1:]:
            candidate = point | {knob: option}
            value = try_out(candidate)
            tried.append((value, candidate))
            if value > best:
                best, point = value, candidate
    return tried


def at_random(space, try_out, count):
    """Try points drawn at random; give them."""
    points = ParameterSampler(space, count, random_state=CHOOSES)
    return [(try_out(point), point) for point in points]


def in_words(point):
    """Write a point of the space."""
    names = {id(v): k for k, v in (AUGMENTATIONS | SCHEDULES).items()}
    shown = {k: names.get(id(v), getattr(v, "__name__", v)) for k, v in point.items()}
    return {k: v if v is None or isinstance(v, str) else float(v) for k, v in shown.items()}


def search(results, save):
    """Search by hand and at random with as many trainings; train both winners with the seeds."""
    entry = results.setdefault("search", {"tried": {}, "winners": {}})

    def try_out(point):
        key = json.dumps(in_words(point), sort_keys=True)
        if key not in entry["tried"]:
            entry["tried"][key] = t.train(CHOOSES, **as_changes(point))["val"]
            save()
        return entry["tried"][key]

    hand = by_hand(SPACE, try_out)
    drawn = at_random(SPACE, try_out, len(hand))
    for name, tried in (("searched by hand", hand), ("searched at random", drawn)):
        value, point = max(tried, key=lambda pair: pair[0])
        rate, changes = point["rate"], as_changes(point)
        del changes["rate"]
        entry["winners"][name] = {
            "val": value,
            "point": in_words(point),
            "curve": np.maximum.accumulate([v for v, _ in tried]).tolist(),
        }
        complete(name, ("search", (rate,), changes, "baseline"), SEEDS, results, save)


def again(known, results, save):
    """Train each aid whose interval lies above zero with new seeds, at the rate that it has.

    With it what it is compared with, and the same change with three times the steps.
    """
    rows = {name: row for name, row in table_of(known).items() if is_done(known, name)}
    names = [name for name in rows if rows[name][0] in AIDS and rows[name][3] != name]
    names = [name for name in names if effect(known, name, rows[name][3])[1] > 0]
    names += [long for name in names if (long := f"{name}, 3 times the steps") in rows]
    names = dict.fromkeys(key for name in names for key in (rows[name][3], name))
    for name in names:
        entry = results.setdefault("again", {}).setdefault(name, {})
        train_all(name, rows[name], AGAIN, entry, known[name]["rate"], save)


def complete(name, row, seeds, results, save):
    """Do what is still to do of a row: choose its rate, train it with each seed."""
    group, rates, changes, against = row
    entry = results.setdefault(name, {"group": group, "against": against, "rates": {}, "runs": {}})
    if entry.get("steps") != changes.get("steps"):
        entry |= {"rates": {}, "runs": {}, "steps": changes.get("steps")}
    for rate in rates if len(rates) > 1 else ():
        if f"{rate:g}" not in entry["rates"]:
            entry["rates"][f"{rate:g}"] = t.train(CHOOSES, **changes, rate=rate)["val"]
            save()
    chosen = max(rates, key=lambda rate: entry["rates"].get(f"{rate:g}", 0.0))
    train_all(name, row, seeds, entry, chosen, save)


def train_all(name, row, seeds, entry, rate, save):
    """Train a row at a rate with each seed that is missing."""
    _, _, changes, against = row
    if entry.get("rate") != rate:
        entry |= {"against": against, "rate": rate, "runs": {}}
    start = time.perf_counter()
    for seed in seeds:
        if str(seed) not in entry["runs"]:
            entry["runs"][str(seed)] = t.train(seed, **changes, rate=rate)
            save()
            took = time.perf_counter() - start
            print(f"{took:6.1f} s  {name}, seed {seed}", flush=True)


def floor():
    """Score the colour table, as many pictures as the baseline has."""
    pictures, test = t.data()["train"][: t.PICTURES], t.data()["test"]
    metric = metrics.MeanIoU(t.CLASSES)
    metric.update_state(test.masks, baselines.color_table(pictures, test.images))
    return float(metric.result())


def lines(results, names):
    """Write the score of each row that is done, and its effect."""
    for name in names:
        if not is_done(results, name):
            continue
        entry = results[name]
        mean = np.mean([run["test"] for run in entry["runs"].values()])
        text = f"{name:52} rate {entry['rate']:<8.4g} {mean:.3f}"
        if entry["against"] != name and is_done(results, entry["against"]):
            text += "  {:+.3f} ({:+.3f} to {:+.3f})".format(
                *effect(results, name, entry["against"])
            )
        yield text


def main(arguments=None):
    """Train what is missing of the rows that the command line names, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "rows", nargs="*", metavar="NAME", help='rows, "search", "again"; none for all of it'
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args(arguments)
    stored = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    results = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}

    def known():
        return stored | results if given.rows else results

    if unknown := set(given.rows) - {"search", "again", *table_of(known())}:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")

    def save():
        order = {name: place for place, name in enumerate(table_of(known()))}
        ordered = dict(sorted(results.items(), key=lambda item: order.get(item[0], len(order))))
        part = given.out.with_suffix(".part")
        part.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
        part.replace(given.out)

    runtime.start(CHOOSES, threads=1)
    if "floor" not in results:
        results["floor"] = {"color table": round(floor(), 5)}
    done = set()
    # Some rows are made of the results of others, so the table grows.
    while todo := [name for name in table_of(known()) if name not in done]:
        for name in todo:
            done.add(name)
            if not given.rows or name in given.rows:
                complete(name, table_of(known())[name], given.seeds, results, save)
    if not given.rows or "search" in given.rows:
        search(results, save)
    if not given.rows or "again" in given.rows:
        again(known(), results, save)
    save()
    print("\n".join(lines(known(), given.rows or results)))


if __name__ == "__main__":
    main()
