"""Metrics against loops over pixels, scikit-learn, golden numbers and the bugs others shipped."""

import keras
import numpy as np
import pytest
import references
from backends import compilers
from keras import ops
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from segbook.losses import CrossEntropy
from segbook.metrics import (
    BoundaryIoU,
    FrequencyWeightedIoU,
    MeanAccuracy,
    MeanDice,
    MeanIoU,
    PixelAccuracy,
    TrimapAccuracy,
    TrimapIoU,
    scores,
)
from segbook.metrics.counts import predicted_classes

COUNTED = [PixelAccuracy, MeanAccuracy, MeanIoU, FrequencyWeightedIoU, MeanDice]
NEAR = [TrimapAccuracy, TrimapIoU, BoundaryIoU]
ALL = [*COUNTED, *(lambda c, Near=Near, **more: Near(c, width=2, **more) for Near in NEAR)]
NAMES = [metric.__name__ for metric in COUNTED + NEAR]


def one_hot(labels, classes):
    return np.eye(classes, dtype="float32")[labels]


def data(shape=(2, 6, 7), classes=4, absent=(), void=0.2, seed=0):
    """Return a random mask, the predicted classes and logits that predict them."""
    rng = np.random.default_rng(seed)
    present = [c for c in range(classes) if c not in absent]
    mask = rng.choice(present, shape).astype("uint8")
    predicted = np.where(rng.random(shape) < 0.5, mask, rng.choice(present, shape))
    mask[rng.random(shape) < void] = 255
    logits = rng.normal(size=(*shape, classes)) + 10 * one_hot(predicted, classes)
    return mask, predicted, logits.astype("float32")


def blobs(shape=(2, 20, 24), classes=3, seed=0):
    """Return masks with regions, some void, and predictions with shifted regions."""
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.integers(0, classes, (shape[0], 5, 6)), np.ones((1, 4, 4), int))
    predicted = np.roll(mask, 1, axis=2)
    mask = mask.astype("uint8")
    mask[:, 3:7, 9:12] = 255
    return mask, predicted, 5 * one_hot(predicted, classes)


DATA = {
    "void": data(),
    "absent classes": data(absent=(1, 3), seed=1),
    "one class": data(absent=(0, 1, 3), seed=2),
    "batch of one": data((1, 5, 3), seed=3),
    "one pixel": data((1, 1, 1), void=0, seed=4),
}


def measure(metric, *batches):
    for mask, logits in batches:
        metric.update_state(mask, logits)
    return float(metric.result())


def update(metric, way, mask, logits):
    """Update a metric inside a function run in one of the backend's ways."""

    def step(variables, mask, logits):
        return metric.stateless_update_state(variables, mask, logits)

    variables = [ops.convert_to_tensor(variable) for variable in metric.variables]
    arguments = variables, ops.convert_to_tensor(mask), ops.convert_to_tensor(logits)
    for variable, new in zip(metric.variables, compilers()[way](step)(*arguments), strict=True):
        variable.assign(new)


@pytest.mark.parametrize("way", compilers())
@pytest.mark.parametrize("Metric", COUNTED)
def test_equals_the_loop(Metric, way):
    for case, (mask, predicted, logits) in DATA.items():
        metric = Metric(4)
        update(metric, way, mask, logits)
        counts = references.confusion(mask, predicted, 4)
        np.testing.assert_array_equal(metric.matrix(), counts)
        expected = references.scores(counts)[metric.name]
        assert float(metric.result()) == pytest.approx(expected, rel=1e-6), case


def golden(Metric, **more):
    """Measure the confusion matrix [[1,1,0],[1,1,0],[0,0,0]]."""
    mask = np.array([[[0, 0, 1, 1]]], "uint8")
    return measure(Metric(3, **more), (mask, one_hot([[[0, 1, 0, 1]]], 3)))


@pytest.mark.parametrize(
    ("Metric", "expected"),
    [
        (MeanIoU, 1 / 3),
        (MeanAccuracy, 0.5),
        (PixelAccuracy, 0.5),
        (FrequencyWeightedIoU, 1 / 3),
        (MeanDice, 0.5),
    ],
)
def test_an_absent_class_is_left_out(Metric, expected):
    assert golden(Metric) == pytest.approx(expected, rel=1e-6)


def test_conventions_of_other_libraries_on_the_same_matrix():
    matrix = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]])
    ious = scores.iou(matrix)
    np.testing.assert_allclose(ious, [1 / 3, 1 / 3, np.nan])
    assert np.nan_to_num(ious, nan=0).mean() == pytest.approx(0.222, abs=5e-4)
    assert np.nan_to_num(ious, nan=1).mean() == pytest.approx(0.556, abs=5e-4)
    assert np.isnan(ious.mean())
    theirs = keras.metrics.MeanIoU(3)
    theirs.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    assert float(theirs.result()) == pytest.approx(1 / 3, rel=1e-6)


def test_a_class_that_is_only_predicted_counts_in_iou_but_has_no_recall():
    mask, logits = np.zeros((1, 1, 4), "uint8"), one_hot([[[0, 0, 0, 2]]], 3)
    assert measure(MeanIoU(3), (mask, logits)) == pytest.approx((0.75 + 0) / 2)
    assert measure(MeanAccuracy(3), (mask, logits)) == pytest.approx(0.75)


def test_matrix_precision_recall_and_f1_equal_scikit_learn():
    mask, predicted, logits = data((3, 20, 20), classes=6, absent=(2,), seed=5)
    metric = MeanIoU(6)
    metric.update_state(mask, logits)
    truth, guess, classes = mask[mask != 255], predicted[mask != 255], range(6)
    np.testing.assert_array_equal(metric.matrix(), confusion_matrix(truth, guess, labels=classes))
    expected = precision_recall_fscore_support(truth, guess, labels=classes, zero_division=np.nan)
    found = metric.per_class()
    for name, values in zip(("precision", "recall", "f1", "pixels"), expected, strict=True):
        values = np.where(np.arange(6) == 2, 0 if name == "pixels" else np.nan, values)
        np.testing.assert_allclose(found[name], values, rtol=1e-12)


@pytest.mark.parametrize("Metric", ALL, ids=NAMES)
def test_the_same_for_every_batch_size(Metric):
    mask, _, logits = data((8, 9, 9), classes=3, seed=6)
    found = set()
    for size in (1, 3, 8):
        batches = [(mask[i : i + size], logits[i : i + size]) for i in range(0, 8, size)]
        found.add(measure(Metric(3), *batches))
    assert len(found) == 1


def test_invariant_to_the_order_of_pixels():
    mask, _, logits = DATA["void"]
    order = np.random.default_rng(0).permutation(mask.size)
    moved = mask.reshape(-1)[order].reshape(7, 12, 1), logits.reshape(-1, 4)[order]
    moved = moved[0], moved[1].reshape(7, 12, 1, 4)
    for Metric in COUNTED:
        assert measure(Metric(4), moved) == measure(Metric(4), (mask, logits))


@pytest.mark.parametrize("Metric", ALL, ids=NAMES)
def test_invariant_to_shifts_softmax_and_logits_at_void(Metric):
    mask, _, logits = DATA["void"]
    expected = measure(Metric(4), (mask, logits))
    changed = np.where((mask == 255)[..., None], np.float32([0, 9, -9, 0]), logits + 7)
    assert measure(Metric(4), (mask, changed)) == expected
    assert measure(Metric(4), (mask, ops.softmax(logits))) == expected


@pytest.mark.parametrize("Metric", ALL, ids=NAMES)
def test_nothing_to_measure_is_nan(Metric):
    mask, logits = np.full((2, 6, 7), 255, "uint8"), DATA["void"][2]
    assert np.isnan(float(Metric(4).result()))
    assert np.isnan(measure(Metric(4), (mask, logits)))
    assert np.isnan(measure(Metric(4), (mask[:0], logits[:0])))
    metric = Metric(4)
    metric.update_state(*DATA["void"][::2])
    metric.reset_state()
    assert np.isnan(float(metric.result()))


@pytest.mark.parametrize("Metric", ALL, ids=NAMES)
def test_perfect_predictions_score_1(Metric):
    mask, _, _ = blobs()
    assert measure(Metric(3), (mask, one_hot(np.where(mask == 255, 1, mask), 3))) == 1


def test_several_ignored_labels():
    mask, predicted, logits = data((2, 8, 8), classes=5, seed=7)
    mask[0, :2] = 250
    ignore = (255, 250, -1, 2)
    metric = MeanIoU(5, ignore_label=ignore)
    metric.update_state(np.where(mask == 0, -1, mask.astype("int32")), logits)
    counts = references.confusion(mask, predicted, 5, (*ignore, 0))
    np.testing.assert_array_equal(metric.matrix(), counts)
    expected = references.scores(counts, left_out=(2,))["mean_iou"]
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
    assert np.isnan(metric.per_class()["iou"][2])


def test_counts_are_exact_past_2_to_the_24():
    mask, logits = np.zeros((1, 1024, 2048), "uint8"), np.zeros((1, 1024, 2048, 2), "float32")
    metric = MeanIoU(2)
    for _ in range(8):
        metric.update_state(mask, logits)
    for _ in range(3):
        metric.update_state(mask[:, :1, :1], logits[:, :1, :1])
    assert metric.matrix().tolist() == [[2**24 + 3, 0], [0, 0]]


@pytest.mark.parametrize("start", [2**24 - 1, 2**31 - 2, 2**32 - 1, 6_200_000_001])
def test_counts_are_exact_past_2_to_the_31(start):
    metric = PixelAccuracy(2)
    high, low = divmod(start, 2**24)
    metric.high.assign([[high, 0], [high, 0]])
    metric.low.assign([[low, 0], [low, 0]])
    metric.update_state(np.zeros((1, 1, 5), "uint8"), one_hot([[[0, 0, 0, 1, 1]]], 2))
    assert metric.matrix().tolist() == [[start + 3, 2], [start, 0]]
    expected = (start + 3) / (2 * start + 5)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits(dtype):
    mask, _, logits = DATA["void"]
    assert measure(MeanIoU(4), (mask, ops.cast(logits, dtype))) == measure(
        MeanIoU(4), (mask, logits)
    )


def test_the_first_of_equal_logits_wins():
    logits = np.array([[0, 0, 0], [1, 2, 2], [-1, -2, -1], [-0.0, 0.0, -0.0]], "float32")
    found = ops.convert_to_numpy(predicted_classes(ops.convert_to_tensor(logits)))
    assert found.tolist() == [0, 1, 0, 0]
    many = np.random.default_rng(0).normal(size=(50, 300)).astype("float32")
    found = ops.convert_to_numpy(predicted_classes(ops.convert_to_tensor(many)))
    assert found.tolist() == many.argmax(axis=-1).tolist()


@pytest.mark.parametrize("radius", [1, 2, 3, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_trimap_equals_the_loop(radius, seed):
    mask, predicted, logits = blobs(seed=seed)
    band = references.trimap(mask, radius)
    expected = references.scores(references.confusion(np.where(band, mask, 255), predicted, 3))
    for Metric, name in ((TrimapAccuracy, "pixel_accuracy"), (TrimapIoU, "mean_iou")):
        found = measure(Metric(3, width=radius), (mask, logits))
        assert found == pytest.approx(expected[name], rel=1e-6)


@pytest.mark.parametrize("radius", [1, 2, 3, 5, 8, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_boundary_iou_equals_erosion(radius, seed):
    mask, predicted, logits = blobs(seed=seed)
    expected = references.boundary_iou(mask, predicted, 3, radius)
    metric = BoundaryIoU(3, width=radius)
    metric.update_state(mask, logits)
    np.testing.assert_allclose(metric.per_class()["iou"], expected)
    assert float(metric.result()) == pytest.approx(np.nanmean(expected), rel=1e-6)


def test_a_wide_band_gives_mean_iou():
    mask, _, logits = blobs()
    expected = measure(MeanIoU(3), (mask, logits))
    assert measure(BoundaryIoU(3, width=50), (mask, logits)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("way", compilers())
@pytest.mark.parametrize("Near", NEAR)
def test_boundaries_the_same_when_compiled(Near, way):
    mask, _, logits = blobs()
    metric = Near(3, width=2)
    update(metric, way, mask, logits)
    assert float(metric.result()) == measure(Near(3, width=2), (mask, logits))


REPORT = """\
class          pixels        IoU  precision     recall         F1
sky             1,200     0.8333     0.8333     1.0000     0.9091
tree              300     0.2000     1.0000     0.2000     0.3333
bird                0          -          -          -          -
mean                      0.5167     0.9167     0.6000     0.6212
weighted mean   1,500     0.7067     0.8667     0.8400     0.7939"""


def test_report_is_a_plain_table():
    mask = np.zeros((1, 30, 50), "uint8")
    mask[:, 24:] = 1
    predicted = np.where(np.arange(1500).reshape(mask.shape) >= 1440, 1, 0)
    metric = MeanIoU(3, class_names=["sky", "tree", "bird"])
    metric.update_state(mask, one_hot(predicted, 3))
    assert metric.report() == REPORT
    np.testing.assert_allclose(
        scores.row_shares(metric.matrix()), [[1, 0, 0], [0.8, 0.2, 0], [np.nan] * 3]
    )


def small_model(metrics):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3, padding="same")(inputs))
    model.compile("sgd", CrossEntropy(), metrics=metrics)
    return model


def test_compiled_model_saves_loads_and_fits(tmp_path):
    metrics = [Metric(4) for Metric in ALL] + [
        MeanIoU(4, ignore_label=(255, 3), class_names="abcd", name="three")
    ]
    mask, images = DATA["void"][0], np.random.default_rng(0).random((2, 6, 7, 3), "float32")
    model = small_model(metrics)
    model.fit(images, mask, batch_size=1, verbose=0)
    expected = model.evaluate(images, mask, batch_size=2, verbose=0, return_dict=True)
    logits = ops.convert_to_numpy(model(images))
    for metric in metrics:
        alone = type(metric).from_config(metric.get_config())
        assert measure(alone, (mask, logits)) == pytest.approx(expected[metric.name], rel=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    found = loaded.evaluate(images, mask, batch_size=2, verbose=0, return_dict=True)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("way", compilers())
@pytest.mark.parametrize("Metric", ALL, ids=NAMES)
def test_unknown_labels_make_every_result_an_error(Metric, way):
    mask, _, logits = DATA["void"]
    metric = Metric(4)
    update(metric, way, np.where(mask == 255, 4, mask), logits)
    unknown = (mask == 255).sum()
    for read in (metric.result, metric.matrix, metric.per_class, metric.report):
        with pytest.raises(ValueError, match=rf"{unknown} pixels whose label .* outside 0..3"):
            read()
    metric.reset_state()
    assert measure(metric, (mask, logits)) >= 0


def test_unknown_labels_stop_fit_and_evaluate():
    mask = np.full((2, 4, 4), 77, "uint8")
    model = small_model([MeanIoU(4)])
    with pytest.raises(ValueError, match=r"labels \[77\]|32 pixels whose label"):
        model.fit(np.zeros((2, 4, 4, 3)), mask, verbose=0)
    with pytest.raises(ValueError, match=r"labels \[77\]|32 pixels whose label"):
        model.evaluate(np.zeros((2, 4, 4, 3)), mask, verbose=0)


@pytest.mark.parametrize("way", compilers())
def test_nan_logits_are_an_error(way):
    mask, _, logits = DATA["void"]
    logits = logits.copy()
    places = np.argwhere(mask != 255)
    logits[tuple(places[0])] = np.nan
    logits[tuple(places[1])][2] = np.nan
    metric = MeanIoU(4)
    update(metric, way, mask, logits)
    with pytest.raises(ValueError, match=r"2 pixels .* or whose logits in y_pred are NaN"):
        metric.result()


def test_the_number_of_unknown_labels_does_not_overflow():
    mask, _, logits = DATA["void"]
    metric = MeanIoU(4, ignore_label=None)
    metric.invalid.assign(2**31 - 1)
    metric.update_state(mask, logits)
    with pytest.raises(ValueError, match="pixels whose label"):
        metric.result()


@pytest.mark.parametrize("none", [None, ()])
def test_no_label_is_ignored(none):
    mask, _, logits = DATA["void"]
    metric = MeanIoU(4, ignore_label=none)
    metric.update_state(mask, logits)
    with pytest.raises(ValueError, match=f"{(mask == 255).sum()} pixels whose label"):
        metric.matrix()


@pytest.mark.parametrize(
    ("mask", "logits", "message"),
    [
        ((2, 4, 5, 1), (2, 4, 5, 3), r"y_true of shape \(2, 4, 5, 1\) must be a mask"),
        ((2, 4, 5), (2, 4, 5), r"y_pred of shape \(2, 4, 5\) must be logits"),
        (
            (2, 4, 5),
            (2, 4, 6, 3),
            r"\(2, 4, 5\) and y_pred of shape \(2, 4, 6, 3\) must have the same n, h and w",
        ),
        ((2, 4, 5), (2, 4, 5, 1), r"\(2, 4, 5, 1\) must have num_classes=3 logits a pixel"),
    ],
)
@pytest.mark.parametrize("Metric", ALL, ids=NAMES)
def test_refuses_wrong_shapes(Metric, mask, logits, message):
    with pytest.raises(ValueError, match=message):
        Metric(3).update_state(np.zeros(mask, "uint8"), np.zeros(logits, "float32"))


def test_refuses_wrong_arguments():
    mask, _, logits = DATA["void"]
    with pytest.raises(ValueError, match="mean_iou counts pixels and takes no sample_weight"):
        MeanIoU(4).update_state(mask, logits, np.ones(2))
    with pytest.raises(ValueError, match="class_names of 2 values must have one a class, 4"):
        MeanIoU(4, class_names=["a", "b"])
    with pytest.raises(ValueError, match=r"ignore_label=1.5 must be an integer, several, or None"):
        MeanIoU(4, ignore_label=1.5)
    with pytest.raises(ValueError, match="width=0 must be 1 pixel or more"):
        BoundaryIoU(4, width=0)
