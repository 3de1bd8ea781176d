"""SSD: as many answers as priors, saving, precision, gradients, learning."""

import harness
import keras
import numpy as np
import pytest

from segbook import detection
from segbook.backbones import small_encoder
from segbook.models import ssd

SHAPES = [[(8, 10)], [(16, 20), (20, 16)], [(40, 50)]]


def tiny(classes=2, **options):
    keras.utils.set_random_seed(0)
    return ssd(classes, (1, 2, 1), backbone=small_encoder(width=4), **options)


@pytest.mark.parametrize("size", [(64, 96), (33, 33), (65, 97), (32, 200)])
def test_one_answer_a_prior(size):
    priors = detection.prior_boxes(size, (8, 16, 32), SHAPES)
    outputs = harness.outputs(tiny(), harness.picture(*size))[0]
    assert outputs.shape == (2, len(priors), 4 + 3)
    assert np.isfinite(outputs).all()


def test_answers_are_in_the_order_of_the_priors():
    # A model that only knows the grey value under it must answer with it at each prior's middle.
    model = tiny(1)
    x = np.zeros((1, 64, 96, 3), np.float32)
    x[:, :32, 64:] = 1
    changed = np.abs(harness.outputs(model, x)[0] - harness.outputs(model, 0 * x)[0]).sum(-1)[0]
    priors = detection.prior_boxes((64, 96), (8, 16, 32), SHAPES)
    middles = (priors[:, :2] + priors[:, 2:]) / 2
    bright = (middles[:, 0] > 64) & (middles[:, 1] < 32)
    far = (middles[:, 0] < 16) & (middles[:, 1] > 48)
    first = slice(0, 8 * 12)  # the finest map, whose receptive field is small
    assert changed[first][bright[first]].min() > 10 * changed[first][far[first]].max()


def test_more_maps_and_an_earlier_first():
    model = ssd(1, (1, 1, 1, 1, 1), backbone=small_encoder(width=4), first=2, more=1, width=8)
    strides = (4, 8, 16, 32, 64)
    priors = detection.prior_boxes((64, 80), strides, [[(9, 9)]] * 5)
    assert model.compute_output_shape((1, 64, 80, 3)) == (1, len(priors), 6)
    assert model(harness.picture(64, 80)).shape[1] == len(priors)


def test_scores_begin_rare():
    outputs = harness.outputs(tiny(3), harness.picture(64, 64))[0]
    probabilities = np.exp(outputs[..., 4:]) / np.exp(outputs[..., 4:]).sum(-1, keepdims=True)
    np.testing.assert_allclose(probabilities[..., 1:].mean((0, 1)), 0.01, atol=0.01)


def test_saves_without_custom_objects(tmp_path):
    harness.check_round_trip(tiny(), tmp_path)


def test_gradient_reaches_every_weight():
    harness.check_gradients(tiny(), size=(64, 64))


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_gives_finite_float32(precision):
    with harness.policy(precision):
        model = tiny()
    outputs = model(300 * harness.picture(64, 64))
    assert keras.backend.standardize_dtype(outputs.dtype) == "float32"
    assert np.isfinite(keras.ops.convert_to_numpy(outputs)).all()


def test_learns_one_picture():
    model, x = tiny(1), harness.picture(64, 64, batch=1)
    priors = detection.prior_boxes((64, 64), (8, 16, 32), SHAPES)
    box = np.array([[10, 12, 26, 32]], np.float32)
    y = detection.encode([box], priors)
    model.compile(keras.optimizers.Adam(3e-3), detection.SSDLoss())
    model.optimizer.build(model.trainable_variables)
    before = float(detection.SSDLoss()(y, harness.outputs(model, x, training=True)[0]))
    for _ in range(60):
        model.train_on_batch(x, y)
    outputs = harness.outputs(model, x, training=True)[0]
    assert float(detection.SSDLoss()(y, outputs)) < 0.3 * before
    found = detection.find(outputs, priors, (64, 64))[0]
    assert detection.average_precision([found], [box]) == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"num_classes": 0, "shapes_per_cell": (1, 1, 1)}, "num_classes=0 must be 1"),
        ({"num_classes": 1, "shapes_per_cell": (1, 1)}, "must be 3 numbers.*stride 8 to 32"),
        ({"num_classes": 1, "shapes_per_cell": (1, 0, 1)}, "each 1 or more"),
        ({"num_classes": 1, "shapes_per_cell": (1, 1, 1), "first": 0}, "first=0 must be 1 to 5"),
        ({"num_classes": 1, "shapes_per_cell": (1, 1, 1), "more": -1}, "more=-1 must be 0 or more"),
        ({"num_classes": 1, "shapes_per_cell": (1, 1, 1), "more": 1}, "stride 8 to 64"),
        ({"num_classes": 1, "shapes_per_cell": (1,), "backbone": "x"}, "must be 3 numbers"),
    ],
)
def test_refuses(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        ssd(**{"backbone": small_encoder(width=4)} | arguments)
