"""Sigmoids: one logit a pixel, and classes that overlap; losses and metrics against loops."""

import keras
import numpy as np
import pytest
import references
from backends import compilers, gradients
from keras import ops
from sklearn.metrics import multilabel_confusion_matrix

from segbook.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Dice,
    Focal,
    HardestCrossEntropy,
    LovaszHinge,
    LovaszSoftmax,
    Tversky,
)
from segbook.losses.lovasz import BINS
from segbook.metrics import (
    BoundaryIoU,
    FrequencyWeightedIoU,
    MeanAccuracy,
    MeanDice,
    MeanIoU,
    MultilabelIoU,
    PixelAccuracy,
    TrimapAccuracy,
    TrimapIoU,
)
from segbook.models import unet

CASES = {
    "bce": (BinaryCrossEntropy(), references.binary_cross_entropy, {}),
    "bce_positive": (
        BinaryCrossEntropy(pos_weight=3, label_smoothing=0.2),
        references.binary_cross_entropy,
        {"pos_weight": 3, "label_smoothing": 0.2},
    ),
    "focal": (Focal(), references.binary_focal, {}),
    "focal_alpha": (
        Focal(1.5, class_weights=[0.75, 0.25]),
        references.binary_focal,
        {"gamma": 1.5, "alpha": 0.25},
    ),
    "dice": (Dice(), references.binary_dice, {}),
    "tversky": (Tversky(), references.binary_tversky, {}),
    "tversky_focal": (
        Tversky(0.2, 0.8, gamma=4 / 3),
        references.binary_tversky,
        {"alpha": 0.2, "beta": 0.8, "gamma": 4 / 3},
    ),
    "hinge": (LovaszHinge(), references.lovasz_hinge, {}),
}
ONE_MORE = {
    "hardest": HardestCrossEntropy(),
    "cross_entropy": CrossEntropy(class_weights=[0.5, 3.0], label_smoothing=0.1),
}
LOSSES = {name: case[0] for name, case in CASES.items()} | ONE_MORE
METRICS = [
    PixelAccuracy,
    MeanAccuracy,
    MeanIoU,
    FrequencyWeightedIoU,
    MeanDice,
    *(lambda c, N=N, **more: N(c, width=2, **more) for N in (TrimapAccuracy, TrimapIoU)),
    lambda c, **more: BoundaryIoU(c, width=2, **more),
]


def data(classes=3, shape=(2, 4, 5), scale=2.0, seed=0, void=0.2):
    """Return random masks of 0, 1 and void, one a class, and logits."""
    rng = np.random.default_rng(seed)
    masks = (rng.random((*shape, classes)) < 0.4).astype("uint8")
    masks[rng.random(masks.shape) < void] = 255
    return masks, rng.normal(0, scale, masks.shape).astype("float32")


ONE, MANY = data(1), data(3)
EAGERLY = (
    keras.backend.backend() != "jax"
)  # to compile a step costs more than a few eager ones, but on JAX


def value(loss, mask, logits, *weight):
    return float(ops.convert_to_numpy(loss(mask, logits, *weight)))


def gradient(loss, mask, logits, *weight):
    variable = keras.Variable(logits)
    return gradients(lambda: loss(mask, variable, *weight), [variable])[0]


def two_logits(logits):
    """Write one logit z a pixel as the two logits (0, z)."""
    return np.concatenate([np.zeros_like(logits), logits], axis=-1)


@pytest.mark.parametrize("way", compilers())
@pytest.mark.parametrize("classes", [1, 3])
def test_losses_equal_the_loop(classes, way):
    losses = [loss for loss, *_ in CASES.values()]
    run = compilers()[way](lambda masks, logits: [loss(masks, logits) for loss in losses])
    for scale in (2.0, 30.0):
        masks, logits = data(classes, scale=scale)
        found = run(ops.convert_to_tensor(masks), ops.convert_to_tensor(logits))
        for value_found, (name, (_, reference, more)) in zip(found, CASES.items(), strict=True):
            expected = reference(masks, logits, **more)
            # The hinge counts errors in steps; 30 standard deviations of logits make them wide.
            tolerance = 2e-3 if name == "hinge" and scale == 30 else 2e-5
            assert float(value_found) == pytest.approx(expected, rel=tolerance), name


@pytest.mark.parametrize("name", CASES)
def test_gradient_equals_finite_differences(name):
    loss, reference, more = CASES[name]
    masks, logits = data(2, (1, 2, 3), seed=1)
    expected = references.finite_differences(reference, masks, logits, **more)
    np.testing.assert_allclose(gradient(loss, masks, logits), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_mask_of_one_logit_may_leave_out_the_class_axis(name):
    masks, logits = ONE
    assert value(LOSSES[name], masks[..., 0], logits) == value(LOSSES[name], masks, logits)


@pytest.mark.parametrize("name", LOSSES)
def test_void_takes_no_part(name):
    loss = LOSSES[name]
    mask, logits = ONE[0][..., 0], ONE[1]
    void = mask == 255
    alone = mask[~void][None, None], logits[~void][None, None]
    assert value(loss, mask, logits) == pytest.approx(value(loss, *alone), rel=1e-5)
    found = gradient(loss, mask, logits)
    assert found[~void].any()
    assert not found[void].any()
    for other in (np.inf, -np.inf, np.nan, 90):
        changed = np.where(void[..., None], np.float32(other), logits)
        assert value(loss, mask, changed) == value(loss, mask, logits)
        np.testing.assert_array_equal(gradient(loss, mask, changed), found)


@pytest.mark.parametrize("name", LOSSES)
def test_all_void_and_no_pixels_give_zero(name):
    mask, logits = np.full((2, 4, 5), 255, "uint8"), ONE[1]
    assert value(LOSSES[name], mask, logits) == 0
    assert not gradient(LOSSES[name], mask, logits).any()
    for none in (np.s_[:0], np.s_[:, :0], np.s_[:, :, :0]):
        assert value(LOSSES[name], mask[none], logits[none]) == 0


@pytest.mark.parametrize("name", LOSSES)
def test_saturated_logits(name):
    mask = (ONE[0][..., 0] == 1).astype("uint8")
    right = 200 * (2 * mask[..., None].astype("float32") - 1)
    if name not in ("bce_positive", "cross_entropy"):  # these smooth labels
        assert value(LOSSES[name], mask, right) == pytest.approx(0, abs=1e-5)
    assert np.isfinite(gradient(LOSSES[name], mask, right)).all()
    assert np.isfinite(value(LOSSES[name], mask, -right))
    assert np.isfinite(gradient(LOSSES[name], mask, -right)).all()


@pytest.mark.parametrize("shape", [(2,), (2, 4, 5)])
def test_sample_weight_weighs_pixels(shape):
    masks, logits = MANY
    weight = np.random.default_rng(0).random(shape) + 0.1
    pixels = weight.reshape(shape + (1,) * (3 - len(shape))) * np.ones(masks.shape[:3])
    for name, (loss, reference, more) in CASES.items():
        if name != "hinge":
            expected = reference(masks, logits, weight=pixels, **more)
            assert value(loss, masks, logits, weight) == pytest.approx(expected, rel=1e-5), name


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropy(),
        CrossEntropy(class_weights=[0.5, 3.0], label_smoothing=0.2),
        Focal(),
        Focal(0.5, class_weights=[0.5, 3.0]),
        HardestCrossEntropy(0.3, class_weights=[0.5, 3.0]),
    ],
)
def test_one_sigmoid_is_a_softmax_of_two_logits(loss):
    mask, logits = ONE[0][..., 0], ONE[1]
    expected = value(loss, mask, two_logits(logits))
    assert value(loss, mask, logits) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(
        gradient(loss, mask, logits)[..., 0],
        gradient(loss, mask, two_logits(logits))[..., 1],
        rtol=1e-4,
        atol=1e-7,
    )


@pytest.mark.parametrize("loss", [Dice, Tversky, lambda **more: Tversky(gamma=4 / 3, **more)])
def test_one_sigmoid_is_the_object_of_two_classes(loss):
    mask, logits = ONE[0][..., 0], ONE[1]
    of_object = loss(class_weights=[0, 1])
    expected = value(of_object, mask, two_logits(logits))
    assert value(loss(), mask, logits) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(
        gradient(loss(), mask, logits)[..., 0],
        gradient(of_object, mask, two_logits(logits))[..., 1],
        rtol=1e-4,
        atol=1e-7,
    )
    nothing = np.zeros_like(mask)
    assert value(loss(), nothing, logits) == 0


def test_binary_cross_entropy_equals_keras_and_cross_entropy():
    masks, logits = data(3, void=0)
    for smoothing in (0, 0.3):
        theirs = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
        expected = float(theirs(masks.astype("float32"), logits))
        ours = BinaryCrossEntropy(label_smoothing=smoothing)
        assert value(ours, masks, logits) == pytest.approx(expected, rel=1e-5)
    mask, logits = ONE[0][..., 0], ONE[1]
    expected = value(CrossEntropy(), mask, logits)
    assert value(BinaryCrossEntropy(), mask, logits) == pytest.approx(expected, rel=1e-6)


def test_pos_weight_a_class():
    masks, logits = data(3, void=0)
    weights = [0.5, 1.0, 4.0]
    found = value(BinaryCrossEntropy(pos_weight=weights), masks, logits)
    expected = references.binary_cross_entropy(masks, logits, pos_weight=weights)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="needs PyTorch")
def test_pos_weight_equals_pytorch():
    import torch

    masks, logits = data(3, void=0)
    for weights in ([3.0], [0.5, 1.0, 4.0]):
        theirs = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weights))
        expected = float(theirs(torch.tensor(logits), torch.tensor(masks.astype("float32"))))
        ours = BinaryCrossEntropy(pos_weight=weights if len(weights) == 3 else weights[0])
        assert value(ours, masks, logits) == pytest.approx(expected, rel=1e-5)


def test_class_weights_of_dice_weigh_the_classes():
    masks, logits = MANY
    expected = references.binary_dice(masks, logits, class_weights=[1, 0, 3])
    assert value(Dice(class_weights=[1, 0, 3]), masks, logits) == pytest.approx(expected, rel=1e-5)
    absent = np.where(np.arange(3) == 1, 0, masks)  # class 1 has no true pixel
    expected = references.binary_dice(absent, logits)
    assert value(Dice(), absent, logits) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_lovasz_hinge_is_the_convex_closure(seed):
    mask, logits = data(1, (1, 2, 3), void=0, seed=seed)
    mask[0, 0, :2, 0] = 0, 1
    truth = mask.reshape(-1) == 1
    errors = np.maximum(0, 1 - np.where(truth, 1, -1) * logits.reshape(-1).astype("float64"))
    expected = references.convex_closure(errors, truth)
    assert value(LovaszHinge(), mask, logits) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scale", [0.3, 3])
def test_lovasz_hinge_in_bins_is_close_to_sorting(scale):
    mask, logits = data(1, (4, 80, 80), scale=scale, void=0)
    expected, by_logit = references.hinge_of_many(mask, logits)
    bound = (2 + np.abs(logits).max()) ** 2 / BINS
    found = value(LovaszHinge(), mask, logits)
    assert expected - bound < found <= expected * (1 + 1e-5)
    found = gradient(LovaszHinge(), mask, logits).reshape(-1)
    assert np.abs(found - by_logit).max() < 0.01 * np.abs(by_logit).max()


def test_lovasz_hinge_without_object_costs_its_worst_pixel():
    mask = np.zeros((1, 2, 2), "uint8")
    logits = np.array([-3, -0.5, 0.25, -1], "float32").reshape(1, 2, 2, 1)
    assert value(LovaszHinge(), mask, logits) == pytest.approx(1.25)
    expected = np.array([0, 0, 1, 0]).reshape(logits.shape)
    np.testing.assert_array_equal(gradient(LovaszHinge(), mask, logits), expected)
    assert value(LovaszHinge(), mask, logits - 5) == 0


@pytest.mark.parametrize(
    ("loss", "mask", "logits", "message"),
    [
        (BinaryCrossEntropy(), (2, 4, 5), (2, 4, 5, 3), "must have one logit a pixel, or y_true"),
        (LovaszHinge(), (2, 4, 5), (2, 4, 5, 3), "must have one logit a pixel, or y_true"),
        (BinaryCrossEntropy(), (2, 4, 5, 2), (2, 4, 5, 3), "must have the same n, h, w and C"),
        (Dice(), (2, 4), (2, 4, 5, 3), r"\(2, 4\) must be a mask \(n, h, w\) or one mask a class"),
        (CrossEntropy(), (2, 4, 5, 3), (2, 4, 5, 3), r"must be a mask \(n, h, w\)\."),
        (LovaszSoftmax(), (2, 4, 5), (2, 4, 5, 1), "must have 2 logits a pixel or more"),
        (Focal(class_weights=[1]), (2, 4, 5), (2, 4, 5, 1), "of 1 values must have one a class, 2"),
        (
            Dice(class_weights=[1, 2]),
            (2, 4, 5),
            (2, 4, 5, 1),
            "of 2 values must have one a class, 1",
        ),
        (
            BinaryCrossEntropy(pos_weight=[1, 2]),
            (2, 4, 5),
            (2, 4, 5, 1),
            "pos_weight of 2 values must have one a class, 1",
        ),
    ],
)
def test_losses_refuse_wrong_shapes(loss, mask, logits, message):
    with pytest.raises(ValueError, match=message):
        loss(np.zeros(mask, "uint8"), np.zeros(logits, "float32"))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BinaryCrossEntropy(pos_weight=-1), "pos_weight=-1 must be 0 or more"),
        (lambda: BinaryCrossEntropy(pos_weight=[1, np.nan]), "must be 0 or more"),
        (lambda: BinaryCrossEntropy(label_smoothing=2), "label_smoothing=2 must be from 0 to 1"),
        (lambda: MeanIoU(0), "num_classes=0 must be 1 or more"),
        (lambda: MeanIoU(1, threshold=1), "threshold=1 must be above 0 and below 1"),
        (lambda: MeanIoU(3, threshold=0.4), "threshold=0.4 needs num_classes=1"),
        (lambda: MeanIoU(1, class_names=["crack"]), "class_names of 1 values must have one a"),
        (lambda: MultilabelIoU(3, class_names="ab"), "class_names of 2 values must have one a"),
    ],
)
def test_refuses_wrong_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_unknown_labels_of_sigmoids_are_refused():
    mask, logits = ONE[0][..., 0].copy(), ONE[1]
    mask[0, 0, 0] = 2
    with pytest.raises(ValueError, match=r"labels \[2\] must be 0..1 or ignore_label=255"):
        Dice()(mask, logits)
    metric = MeanIoU(1)
    metric.update_state(mask, logits)
    with pytest.raises(ValueError, match=r"1 pixels whose label .* outside 0\.\.1"):
        metric.result()


def test_one_logit_of_1_is_not_taken_for_a_softmax():
    mask, logits = np.ones((1, 2, 2), "uint8"), np.ones((1, 2, 2, 1), "float32")
    assert value(CrossEntropy(), mask, logits) == pytest.approx(np.log1p(np.exp(-1)), rel=1e-6)


def measure(metric, mask, logits):
    metric.update_state(mask, logits)
    return float(metric.result())


@pytest.mark.parametrize("threshold", [0.5, 0.2, 0.9])
def test_metrics_of_one_sigmoid_are_those_of_two_logits(threshold):
    mask, logits = ONE[0][..., 0], ONE[1]
    shifted = two_logits(logits - np.float32(np.log(threshold / (1 - threshold))))
    for build in METRICS:
        one, two = build(1, threshold=threshold), build(2)
        assert measure(one, mask, logits) == measure(two, mask, shifted)
        np.testing.assert_array_equal(one.matrix(), two.matrix())
    assert one.report() == two.report()


def test_a_probability_at_the_threshold_is_background():
    mask, logits = np.ones((1, 1, 2), "uint8"), np.array([0, 1e-3], "float32").reshape(1, 1, 2, 1)
    metric = PixelAccuracy(1)
    metric.update_state(mask, logits)
    assert metric.matrix().tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("way", compilers())
def test_multilabel_iou_equals_scikit_learn(way):
    masks, logits = MANY
    metric = MultilabelIoU(3, threshold=0.3)

    def step(variables, masks, logits):
        return metric.stateless_update_state(variables, masks, logits)

    variables = [ops.convert_to_tensor(variable) for variable in metric.variables]
    new = compilers()[way](step)(
        variables, ops.convert_to_tensor(masks), ops.convert_to_tensor(logits)
    )
    for variable, counted in zip(metric.variables, new, strict=True):
        variable.assign(counted)
    tables = []
    for c in range(3):
        shown = masks[..., c] != 255
        predicted = (1 / (1 + np.exp(-logits[..., c][shown])) > 0.3).astype(int)
        tables.append(
            multilabel_confusion_matrix(masks[..., c][shown], predicted, labels=[0, 1])[1]
        )
    np.testing.assert_array_equal(metric.matrix(), tables)
    ious = [table[1, 1] / (table.sum() - table[0, 0]) for table in tables]
    np.testing.assert_allclose(metric.per_class()["iou"], ious)
    assert float(metric.result()) == pytest.approx(np.mean(ious), rel=1e-6)
    recalls = [table[1, 1] / table[1].sum() for table in tables]
    np.testing.assert_allclose(metric.per_class()["recall"], recalls)
    assert metric.per_class()["pixels"].tolist() == [table[1].sum() for table in tables]


def test_multilabel_iou_leaves_out_absent_classes_and_refuses_strangers():
    masks, logits = MANY
    absent = np.where(np.arange(3) == 1, 0, masks)
    silent = np.where(np.arange(3) == 1, np.float32(-9), logits)
    metric = MultilabelIoU(3, class_names=["car", "wet", "night"])
    found = measure(metric, absent, silent)
    ious = metric.per_class()["iou"]
    assert np.isnan(ious[1])
    assert found == pytest.approx(np.nanmean(ious), rel=1e-6)
    assert "wet" in metric.report()
    assert np.isnan(measure(MultilabelIoU(3), np.full_like(masks, 255), logits))
    with pytest.raises(ValueError, match=r"must be one mask a class \(n, h, w, C\)"):
        metric.update_state(masks[..., 0], logits)
    mask, logits = ONE[0][..., 0], ONE[1]
    both = MeanIoU(1)
    both.update_state(mask, logits)
    assert measure(MultilabelIoU(1), mask, logits) == pytest.approx(both.per_class()["iou"][1])
    metric = MultilabelIoU(1)
    metric.update_state(mask, np.where(np.arange(5)[:, None] == 0, np.float32(np.nan), logits))
    with pytest.raises(ValueError, match="logits in y_pred are NaN"):
        metric.result()


def test_a_model_of_one_logit_and_of_overlapping_classes_fits_saves_and_loads(tmp_path):
    images = np.random.default_rng(0).random((2, 4, 5, 3), "float32")
    inputs = keras.Input((None, None, 3))
    one = [LOSSES[name] for name in LOSSES] + [BinaryCrossEntropy() + Dice() / 2]
    many = [CASES[name][0] for name in CASES]
    outputs = [keras.layers.Conv2D(1, 1)(inputs) for _ in one]
    outputs += [keras.layers.Conv2D(3, 1)(inputs) for _ in many]
    model = keras.Model(inputs, outputs)
    metrics = [[] for _ in outputs]
    metrics[0] = [build(1, threshold=0.4) for build in METRICS]
    metrics[-1] = [MultilabelIoU(3, threshold=0.4)]
    model.compile("sgd", one + many, metrics=metrics, run_eagerly=EAGERLY)
    masks = [ONE[0][..., 0]] * len(one) + [MANY[0]] * len(many)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    expected = model.evaluate(images, masks, verbose=0, return_dict=True)
    assert loaded.evaluate(images, masks, verbose=0, return_dict=True) == pytest.approx(
        expected, rel=1e-5
    )
    for found, loss in zip(loaded.loss, model.loss, strict=True):
        assert found.get_config() == loss.get_config()
    loaded.fit(images, masks, verbose=0)
    assert loaded.evaluate(images, masks, verbose=0)[0] < expected["loss"]


def test_a_unet_of_one_logit_learns():
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).random((2, 32, 32, 3), "float32")
    masks = (images[..., 0] > 0.7).astype("uint8")
    model = unet(1, width=4, depth=2)
    model.compile("adam", BinaryCrossEntropy() + Dice(), metrics=[MeanIoU(1)], run_eagerly=EAGERLY)
    losses = model.fit(images, masks, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
