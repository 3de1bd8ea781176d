"""Backbones: strides, sizes, parameters, and what keras.applications computes."""

import harness
import keras
import numpy as np
import pytest
from keras import ops

from segbook import backbones

STRIDES = (2, 4, 8, 16, 32)


@pytest.mark.parametrize(
    ("build", "channels"),
    [
        (lambda: backbones.small_encoder(width=4), (4, 8, 16, 32, 32)),
        (lambda: backbones.vgg(width=2), (2, 4, 8, 16, 16)),
        (lambda: backbones.vgg(width=2, normalize=True), (2, 4, 8, 16, 16)),
    ],
)
def test_features_have_ceil_sizes_at_strides_2_to_32(build, channels):
    model = build()
    features = harness.outputs(model, harness.picture(65, 97, batch=1))
    expected = [(1, -(-65 // s), -(-97 // s), c) for s, c in zip(STRIDES, channels, strict=True)]
    assert [f.shape for f in features] == expected


def test_small_encoder_saves_and_every_weight_has_a_gradient(tmp_path):
    model = backbones.small_encoder(width=4)
    harness.check_round_trip(model, tmp_path)
    harness.check_gradients(model)


def test_vgg16_equals_keras_applications():
    ours = backbones.vgg16()
    theirs = keras.applications.VGG16(include_top=False, weights=None)
    assert ours.count_params() == theirs.count_params() == 14_714_688
    theirs.set_weights(ours.get_weights())
    x = harness.picture(64, 96, batch=1)
    prepared = keras.applications.vgg16.preprocess_input(255 * x)
    expected = ops.convert_to_numpy(theirs(prepared))
    np.testing.assert_allclose(harness.outputs(ours, x)[-1], expected, rtol=1e-3, atol=1e-3)


def test_weights_need_three_channels():
    with pytest.raises(ValueError, match=r"has 4 channels.*need 3 \(RGB\)"):
        backbones.vgg16((None, None, 4), weights="imagenet")


def test_no_network_says_what_to_do(monkeypatch):
    def refuse(**kwargs):
        raise Exception("URL fetch failure on https://somewhere: None -- no route to host")

    monkeypatch.setattr(keras.applications, "VGG16", refuse)
    with pytest.raises(ConnectionError, match="weights=None for random weights"):
        backbones.vgg16(weights="imagenet")


@pytest.mark.parametrize(
    ("backbone", "weights", "message"),
    [
        ("resnet5", None, "backbone='resnet5' is unknown; it must be one of"),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 3)), keras.layers.ReLU()]),
            None,
            "has 1 outputs; it must have",
        ),
        (lambda: backbones.small_encoder(width=2), "imagenet", "is for a backbone given by name"),
    ],
)
def test_backbones_that_do_not_fit(backbone, weights, message):
    with pytest.raises(ValueError, match=message):
        backbones.get_backbone(
            backbone if isinstance(backbone, str) else backbone(), weights=weights
        )
