"""Pooling against NumPy loops."""

import harness
import keras
import layer_references as references
import numpy as np
import pytest
from backends import compilers
from keras import ops

from segbook import layers as pooling


def features(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def pool_reference(x):
    """Maxima of 2x2 windows and their places, by a loop; odd sizes are completed."""
    batch, height, width, channels = x.shape
    shape = (batch, -(-height // 2), -(-width // 2), channels)
    values, indices = np.zeros(shape, "float32"), np.zeros(shape, int)
    for n, i, j, c in np.ndindex(shape):
        window = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        values[n, i, j, c] = window.max()
        row, column = np.unravel_index(window.argmax(), window.shape)
        indices[n, i, j, c] = 2 * row + column
    return values, indices


@pytest.mark.parametrize(("height", "width"), [(6, 8), (5, 7), (6, 7), (1, 1)])
def test_max_pool_with_indices_equals_a_loop(height, width):
    x = features(3, height, width, 2)
    values, indices = pooling.MaxPoolWithIndices()(x)
    expected = pool_reference(x)
    np.testing.assert_array_equal(ops.convert_to_numpy(values), expected[0])
    np.testing.assert_array_equal(ops.convert_to_numpy(indices), expected[1])


def test_unpool_keeps_every_maximum_in_its_place():
    x = features(3, 6, 8, 2)
    unpooled = pooling.MaxUnpool()(list(pooling.MaxPoolWithIndices()(x)))
    values, indices = pool_reference(x)
    expected = np.zeros_like(x)
    for n, i, j, c in np.ndindex(values.shape):
        row, column = divmod(indices[n, i, j, c], 2)
        expected[n, 2 * i + row, 2 * j + column, c] = values[n, i, j, c]
    np.testing.assert_array_equal(ops.convert_to_numpy(unpooled), expected)
    assert (expected == x).sum() == values.size


@pytest.mark.parametrize("way", compilers().values(), ids=compilers().keys())
def test_pool_and_unpool_compile(way):
    pool, unpool = pooling.MaxPoolWithIndices(), pooling.MaxUnpool()
    x = ops.convert_to_tensor(features(2, 5, 7, 3))
    pool(x)
    unpooled = way(lambda x: unpool(list(pool(x))))(x)
    assert tuple(unpooled.shape) == (2, 6, 8, 3)


@pytest.mark.parametrize("size", [2, 3])
def test_dilated_pooling_samples_to_strided_pooling(size):
    x = features(2, 8, 12, 3)
    strided = keras.layers.MaxPooling2D(size, 2, padding="same")(x)
    dense = ops.convert_to_numpy(pooling.DilatedMaxPooling(size, 1)(x))
    np.testing.assert_array_equal(dense[:, ::2, ::2], ops.convert_to_numpy(strided))
    again = keras.layers.MaxPooling2D(size, 2, padding="same")(strided)
    dense = ops.convert_to_numpy(pooling.DilatedMaxPooling(size, 2)(dense))
    np.testing.assert_array_equal(dense[:, ::4, ::4], ops.convert_to_numpy(again))


@pytest.mark.parametrize("bins", [1, 2, 3, 6])
@pytest.mark.parametrize(("height", "width"), [(12, 6), (7, 13), (5, 4)])
def test_adaptive_average_equals_a_loop(bins, height, width):
    x = features(2, height, width, 3)
    expected = references.regions(x, bins)
    averages = ops.convert_to_numpy(pooling.AdaptiveAveragePooling(bins)(x))
    np.testing.assert_allclose(averages, expected, rtol=1e-5, atol=1e-6)


def test_aspp_has_the_parameters_of_torchvision():
    x = keras.Input((None, None, 2048))
    model = keras.Model(x, pooling.aspp(x))
    assert harness.count(model) == (15_535_104, 15_538_176)


@pytest.mark.parametrize("rates", [(), (0, 6), (6.0,), (-1,)])
@pytest.mark.parametrize(
    "build", [lambda x, r: pooling.aspp(x, 4, r), lambda x, r: pooling.aspp_sum(x, 4, r)]
)
def test_rates_that_do_not_fit(build, rates):
    with pytest.raises(ValueError, match=r"rates=.* must be positive integers"):
        build(keras.Input((None, None, 8)), rates)


def test_image_pooling_of_one_picture_in_training_forgets_the_picture():
    """Batch norm over one value a channel: torchvision's issue 2151."""
    x = keras.Input((None, None, 4))
    model = harness.shake(keras.Model(x, pooling.image_pooling(x, 5)), 1.0)
    one, other = features(1, 6, 6, 4), features(1, 6, 6, 4, seed=1)
    training = [ops.convert_to_numpy(model(p, training=True)) for p in (one, other)]
    np.testing.assert_allclose(*training, atol=1e-3)
    both = ops.convert_to_numpy(model(np.concatenate([one, other]), training=True))
    assert np.abs(both[0] - both[1]).max() > 0.1


def test_aspp_of_one_picture_in_training_is_deaf_to_image_pooling():
    """The normalisation behind the branches takes away a constant, also if pooling's is frozen."""
    x = keras.Input((None, None, 4))
    model = harness.shake(keras.Model(x, pooling.aspp(x, 5, rates=(1,), dropout=0.0)), 1.0)
    norm = model.get_layer("aspp_pool_conv_bn")
    norm.trainable = False
    picture, beta = features(1, 6, 6, 4), ops.convert_to_numpy(norm.beta).copy()
    changed = {}
    for training in (False, True):
        given = []
        for shift in (0, 3):
            norm.beta.assign(beta + shift)
            given.append(ops.convert_to_numpy(model(picture, training=training)))
        changed[training] = np.abs(given[1] - given[0]).max()
    assert changed[False] > 0.1
    assert changed[True] < 1e-3


def randomized(build, channels):
    """Make a model of a block with random weights; return it and them, by path."""
    image = keras.Input((None, None, channels))
    model = keras.Model(image, build(image))
    return model, harness.randomize(model)


def of(weights, name):
    """Iterate over the weights of a convolution and of its batch normalisation, by name."""
    kinds = ["kernel", "gamma", "beta", "moving_mean", "moving_variance"]
    return iter([weights[f"{name}{'' if k == 'kernel' else '_bn'}/{k}"] for k in kinds])


@pytest.mark.parametrize(
    ("arguments", "bins"), [({}, (1, 2, 3, 6)), ({"bins": (1, 2)}, (1, 2)), ({"bins": (4,)}, (4,))]
)
def test_pyramid_pooling_equals_numpy(arguments, bins):
    """The features, then a level for each number of bins, the paper's by default."""
    model, weights = randomized(lambda x: pooling.pyramid_pooling(x, **arguments), 8)
    x = features(2, 13, 7, 8)
    expected = [x]
    for size in bins:
        level = references.block(references.regions(x, size), of(weights, f"pyramid_{size}_conv"))
        assert level.shape[-1] == 8 // len(bins)
        expected.append(references.resize(level, 13, 7))
    expected = np.concatenate(expected, axis=-1)
    np.testing.assert_allclose(harness.outputs(model, x)[0], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "rates"),
    [
        ({}, (6, 12, 18)),
        ({"rates": (1, 3)}, (1, 3)),
        ({"pool": False}, (6, 12, 18)),
        ({"separable": True, "rates": (2, 3)}, (2, 3)),
    ],
)
def test_aspp_equals_numpy(arguments, rates):
    """A 1x1 convolution, one at each rate, the mean of the picture, and a mixture of all."""
    model, weights = randomized(lambda x: pooling.aspp(x, 4, **arguments), 3)
    x = features(2, 21, 20, 3)
    branches = [references.block(x, of(weights, "aspp_0"))]
    for i, rate in enumerate(rates, start=1):
        branch, name, dilation = x, f"aspp_{i}", {"dilation": rate}
        if "separable" in arguments:
            depthwise = of(weights, f"{name}_depthwise")
            branch = references.block(branch, depthwise, depthwise=True, **dilation)
            name, dilation = f"{name}_pointwise", {}
        branches.append(references.block(branch, of(weights, name), **dilation))
    if arguments.get("pool", True):
        mean = references.block(x.mean((1, 2), keepdims=True), of(weights, "aspp_pool_conv"))
        branches.append(np.broadcast_to(mean, branches[0].shape))
    expected = references.block(np.concatenate(branches, axis=-1), of(weights, "aspp_project"))
    np.testing.assert_allclose(harness.outputs(model, x)[0], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("hidden", [None, 4])
@pytest.mark.parametrize(
    ("arguments", "rates"),
    [({}, (6, 12, 18, 24)), ({"rates": (2, 3)}, (2, 3)), ({"rates": (2,)}, (2,))],
)
def test_aspp_sum_equals_numpy(arguments, rates, hidden):
    """Scores at each rate, added; hidden layers take the rate in the first of them alone."""
    build = lambda x: pooling.aspp_sum(x, 5, hidden=hidden, **arguments)  # noqa: E731
    model, weights = randomized(build, 3)
    x = features(2, 27, 26, 3)

    def convolve(x, name, **options):
        return references.convolve(x, weights[f"{name}/kernel"], weights[f"{name}/bias"], **options)

    expected = 0.0
    for i, rate in enumerate(rates, start=1):
        if hidden:
            branch = references.relu(convolve(x, f"aspp_fc6_{i}", dilation=rate))
            branch = references.relu(convolve(branch, f"aspp_fc7_{i}"))
            assert weights[f"aspp_fc6_{i}/kernel"].shape == (3, 3, 3, 4)
            expected = expected + convolve(branch, f"aspp_score_{i}")
        else:
            expected = expected + convolve(x, f"aspp_score_{i}", dilation=rate)
    np.testing.assert_allclose(harness.outputs(model, x)[0], expected, rtol=1e-3, atol=1e-3)


def test_dropout_of_the_pyramids():
    x = keras.Input((None, None, 4))
    for build, expected in [
        (lambda: pooling.aspp(x, 4), [0.5]),
        (lambda: pooling.aspp(x, 4, dropout=0.2), [0.2]),
        (lambda: pooling.aspp_sum(x, 4, (1, 2), hidden=4), 4 * [0.5]),
        (lambda: pooling.aspp_sum(x, 4, (1,), hidden=4, dropout=0.2), 2 * [0.2]),
        (lambda: pooling.aspp_sum(x, 4), []),
    ]:
        model = keras.Model(x, build())
        drops = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
        assert drops == expected


BLOCKS = {
    "index pooling": lambda x: pooling.MaxUnpool()(list(pooling.MaxPoolWithIndices()(x))),
    "dilated pooling": lambda x: pooling.DilatedMaxPooling(3, 2)(x),
    "image pooling": lambda x: pooling.image_pooling(x, 4),
    "pyramid": lambda x: pooling.pyramid_pooling(x, (1, 2)),
    "aspp sum": lambda x: pooling.aspp_sum(x, 3, (1, 2), hidden=4, dropout=0.0),
    "aspp": lambda x: pooling.aspp(x, 4, (1, 2), dropout=0.0),
    "separable aspp": lambda x: pooling.aspp(x, 4, (1, 2), separable=True, dropout=0.0),
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_blocks_save_and_pass_gradients(block, tmp_path):
    x = keras.Input((None, None, 3))
    model = keras.Model(x, block(keras.layers.Conv2D(8, 1)(x)))
    harness.check_round_trip(model, tmp_path, size=(9, 7))
    harness.check_gradients(model, size=(9, 7))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize(
    "layer",
    [
        pooling.MaxPoolWithIndices,
        lambda: lambda x: pooling.MaxUnpool()(list(pooling.MaxPoolWithIndices()(x))),
        lambda: pooling.DilatedMaxPooling(3, 2),
        lambda: pooling.AdaptiveAveragePooling(1),
        lambda: pooling.AdaptiveAveragePooling(2),
    ],
)
def test_large_features_are_pooled_in_any_precision(layer, policy):
    """Sums of them pass 65504, where float16 ends."""
    x = 1e4 * np.abs(features(2, 9, 7, 4)) - 2e4
    expected = ops.convert_to_numpy(keras.tree.flatten(layer()(x))[0])
    with harness.policy(policy):
        y = keras.tree.flatten(layer()(x))[0]
    y = ops.convert_to_numpy(ops.cast(y, "float32"))
    np.testing.assert_allclose(y, expected, rtol=0.01, atol=100)
