"""Costs and receptive fields against published figures and counts by hand."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from segbook import backbones
from segbook.backend import gradient
from segbook.complexity import (
    Cost,
    ReceptiveField,
    cost,
    effective_receptive_field,
    receptive_field,
)
from segbook.layers import CrissCrossAttention, PositionAttention


def test_cost_equals_a_count_by_hand():
    x = keras.Input((None, None, 3))
    y = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = layers.DepthwiseConv2D(3, padding="same")(y)
    y = layers.SeparableConv2D(5, 3, padding="same")(y)
    y = layers.Conv2DTranspose(2, 4, strides=2, padding="same")(y)
    inner = keras.Model(x, y)
    model = keras.Model(x, layers.Dense(7)(inner(x)))
    places = 5 * 3
    multiply_adds = places * (4 * 27 + 4 * 9 + 4 * 9 + 4 * 5 + 5 * 2 * 16) + 10 * 6 * 2 * 7
    outputs = places * (4 + 4 + 4 + 5) + 10 * 6 * (2 + 7)
    assert cost(model, (10, 6)) == Cost(model.count_params(), multiply_adds, 4 * outputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "published"),
    [
        ("MobileNetV2", 224, 0.300e9),  # Sandler et al., 2018, table 4
        ("EfficientNetB0", 224, 0.39e9),  # Tan and Le, 2019, table 2
        ("DenseNet121", 224, 2.83e9),
        ("ResNet50", 224, 3.8e9),  # He et al., 2016, table 1
    ],
)
def test_multiply_adds_of_published_networks(name, size, published):
    model = getattr(keras.applications, name)(weights=None)
    assert cost(model, size).multiply_adds == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize(
    ("layer", "attended"), [(PositionAttention(), 8 * 6), (CrissCrossAttention(), 8 + 6)]
)
def test_attention_counts_its_projections_and_its_products(layer, attended):
    x = keras.Input((None, None, 16))
    model = keras.Model(x, layer(x))
    projections = 16 * (2 + 2 + 16)
    assert cost(model, (8, 6)).multiply_adds == 8 * 6 * (projections + attended * (2 + 16))


def test_half_precision_halves_the_activations():
    def build(dtype, policy):
        x = keras.Input((None, None, 3), dtype=dtype)
        return keras.Model(x, layers.Conv2D(4, 1, dtype=policy)(x))

    full, half = build("float32", "float32"), build("float16", "mixed_float16")
    assert cost(full, 8).activation_bytes == 2 * cost(half, 8).activation_bytes


def test_a_layer_of_unknown_cost_is_named():
    x = keras.Input((None, None, 3))
    model = keras.Model(x, layers.PReLU(shared_axes=(1, 2), name="slopes")(x))
    with pytest.raises(TypeError, match=r"layer 'slopes' .* multiply_adds"):
        cost(model, 8)


def test_the_model_is_left_as_it_was():
    model = backbones.small_encoder(width=2)
    before = [weight.numpy() for weight in model.weights]
    cost(model, 64)
    receptive_field(model)
    assert model.get_layer("block2_conv1").output.shape == (None, None, None, 4)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("block1_conv2", ReceptiveField(5, 5, 1)),
        ("block5_conv3", ReceptiveField(196, 196, 16)),  # published for VGG-16
        ("block5_pool", ReceptiveField(212, 212, 32)),
        (None, ReceptiveField(212, 212, 32)),
    ],
)
def test_receptive_field_of_vgg16(layer, expected):
    assert receptive_field(backbones.vgg(width=1), layer) == expected


def test_receptive_field_takes_the_widest_path_and_enters_models():
    x = keras.Input((None, None, 3))
    inner = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(3, 3, padding="same")])
    wide = layers.Conv2D(3, 3, dilation_rate=4, padding="same")(inner(x))
    model = keras.Model(x, layers.Add(name="sum")([wide, layers.Conv2D(3, 1)(x)]))
    assert receptive_field(model, "sum") == ReceptiveField(11, 11, 1)


def test_receptive_field_of_a_sequential_model_of_fixed_size():
    model = keras.Sequential(
        [keras.Input((32, 32, 1)), layers.Conv2D(1, 3, strides=2), layers.MaxPooling2D(3, 2)]
    )
    assert receptive_field(model) == ReceptiveField(7, 7, 4)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([layers.Conv2D(1, (1, 7))], ReceptiveField(1, 7, 1)),
        ([layers.Conv2D(1, (1, 7)), layers.Conv2D(1, (7, 1))], ReceptiveField(7, 7, 1)),
        ([layers.Conv2D(1, (3, 5), strides=(2, 1)), layers.Conv2D(1, 3)], ReceptiveField(7, 7, 2)),
        ([layers.DepthwiseConv2D((5, 3)), layers.MaxPooling2D((1, 2))], ReceptiveField(5, 4, 2)),
        ([layers.Conv2D(1, 3, dilation_rate=(1, 4))], ReceptiveField(3, 9, 1)),
    ],
    ids=["row", "row and column", "stride", "pooling", "dilation"],
)
def test_receptive_field_of_kernels_that_are_not_square(steps, expected):
    field = receptive_field(keras.Sequential([keras.Input((32, 32, 2)), *steps]))
    assert field == expected
    assert field.size == max(field.height, field.width)


def test_the_widest_path_counts_along_each_axis():
    x = keras.Input((None, None, 3))
    wide = layers.Conv2D(3, (1, 7), padding="same")(x)
    tall = layers.Conv2D(3, (5, 1), padding="same")(x)
    model = keras.Model(x, layers.Add()([wide, tall]))
    assert receptive_field(model) == ReceptiveField(5, 7, 1)


def test_double_precision():
    x = keras.Input((None, None, 3), dtype="float64")
    model = keras.Model(x, layers.Conv2D(4, 3, padding="same", dtype="float64")(x))
    assert cost(model, 8).activation_bytes == 8 * 8 * 4 * 8
    assert receptive_field(model) == ReceptiveField(3, 3, 1)


@pytest.mark.parametrize(
    ("layer", "message"),
    [("nothing", "layer='nothing' is not in the model; it has"), ("mean", "'mean' comes before")],
)
def test_receptive_field_says_what_is_missing(layer, message):
    x = keras.Input((None, None, 3))
    model = keras.Model(x, layers.GlobalAveragePooling2D(name="mean")(x))
    with pytest.raises(ValueError, match=message):
        receptive_field(model, layer)


@pytest.mark.parametrize("dilations", [(1, 1), (1, 2, 4)])
def test_effective_field_lies_inside_the_theoretical_one_and_fills_it(dilations):
    x = y = keras.Input((None, None, 3))
    for dilation in dilations:
        y = layers.Conv2D(4, 3, dilation_rate=dilation, padding="same")(y)
    model = keras.Model(x, y)
    size = receptive_field(model).size
    influence = effective_receptive_field(model, 33, samples=2)
    rows = np.flatnonzero(influence.max(axis=1))
    assert influence.max() == 1
    assert (rows[0], rows[-1]) == (16 - size // 2, 16 + size // 2)


def test_gradient_of_a_square():
    x = np.arange(6, dtype="float32").reshape(2, 3)
    np.testing.assert_allclose(gradient(lambda x: ops.sum(x * x), x), 2 * x)
