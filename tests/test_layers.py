"""Layers against NumPy and against what their papers say."""

import harness
import keras
import layer_references as references
import numpy as np
import pytest
from keras import layers as klayers
from keras import ops

from segbook import layers


def features(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def apply(build, *shapes, seed=0):
    """Run `build` on random features of the given shapes; return the inputs and the output."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape).astype("float32") for shape in shapes]
    inputs = [keras.Input((None, None, shape[-1])) for shape in shapes]
    model = keras.Model(inputs, build(*inputs))
    return arrays, ops.convert_to_numpy(model(arrays))


@pytest.mark.parametrize(("stride", "size"), [(2, 4), (3, 5), (5, 9), (8, 16), (32, 64)])
def test_bilinear_kernel_is_a_triangle_a_channel(stride, size):
    kernel = ops.convert_to_numpy(layers.BilinearInitializer()((size, size, 3, 3)))
    line = 1 - np.abs(np.arange(size) - (size - 1) / 2) / stride
    np.testing.assert_allclose(kernel[:, :, 1, 1], np.outer(line, line), atol=1e-6)
    assert not kernel[:, :, 0, 1].any()
    # The stamps add up to one everywhere.
    sums = [kernel[i::stride, j::stride, 1, 1].sum() for i in range(stride) for j in range(stride)]
    np.testing.assert_allclose(sums, 1, atol=1e-5)


@pytest.mark.parametrize("size", [0, 2, 3, 6, 7, 10])
def test_bilinear_kernel_names_the_size_it_refuses(size):
    # Such a kernel would shift what it enlarges by half a pixel.
    with pytest.raises(ValueError, match=f"size {size} is bilinear for no stride: it must be 2s"):
        layers.BilinearInitializer()((4, size, 1, 1))


@pytest.mark.parametrize("stride", [2, 3, 4, 5, 7, 8])
def test_bilinear_transposed_convolution_equals_a_resize_inside(stride):
    (x,), up = apply(layers.bilinear_transposed(3, stride), (2, 6, 7, 3))
    expected = references.resize(x, 6 * stride, 7 * stride)
    resized = ops.image.resize(x, (6 * stride, 7 * stride), "bilinear", data_format="channels_last")
    np.testing.assert_allclose(resized, expected, atol=1e-5)
    border = stride // 2
    inside = (slice(None), slice(border, -border), slice(border, -border))
    np.testing.assert_allclose(up[inside], expected[inside], atol=1e-5)
    assert np.abs(up - expected)[:, 0].max() > 0.01


@pytest.mark.parametrize("stride", [0, 1, 2.5])
def test_bilinear_transposed_names_the_stride_it_refuses(stride):
    with pytest.raises(ValueError, match=f"stride={stride} must be a whole number, 2 or more"):
        layers.bilinear_transposed(3, stride)


@pytest.mark.parametrize(("height", "width"), [(65, 97), (33, 33), (5, 40), (9, 13)])
def test_resize_to_equals_numpy(height, width):
    (x, _), resized = apply(layers.resize_to, (2, 9, 13, 4), (2, height, width, 1))
    np.testing.assert_allclose(resized, references.resize(x, height, width), atol=1e-5)


# On JAX and PyTorch, Keras multiplies matrices in float32 at most.
DOUBLE = 1e-9 if keras.backend.backend() == "tensorflow" else 0.05


@pytest.mark.parametrize(
    ("policy", "atol"), [("mixed_float16", 30), ("mixed_bfloat16", 250), ("float64", DOUBLE)]
)
def test_resize_to_equals_numpy_in_any_precision(policy, atol):
    with harness.policy(policy):
        (x, _), resized = apply(
            lambda x, like: layers.resize_to(klayers.Rescaling(1e4)(x), like),
            (2, 9, 13, 4),
            (2, 33, 40, 1),
        )
    expected = references.resize(1e4 * x.astype("float64"), 33, 40)
    np.testing.assert_allclose(resized.astype("float64"), expected, atol=atol)


def test_crops_keep_the_corner_or_the_centre():
    (x, _), corner = apply(layers.crop_to, (1, 9, 8, 2), (1, 5, 4, 1))
    np.testing.assert_array_equal(corner, x[:, :5, :4])
    (x, _), centre = apply(layers.center_crop_to, (1, 9, 8, 2), (1, 5, 4, 1))
    np.testing.assert_array_equal(centre, x[:, 2:7, 2:6])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_logits_are_float32_under_mixed_precision(policy):
    with harness.policy(policy):
        inputs = [keras.Input((None, None, 2)), keras.Input((None, None, 3))]
        model = keras.Model(inputs, layers.logits_like(klayers.Conv2D(2, 1)(inputs[0]), inputs[1]))
    logits = model([np.ones((1, 3, 4, 2), "float32"), np.ones((1, 24, 31, 3), "float32")])
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert tuple(logits.shape) == (1, 24, 31, 2)


@pytest.mark.parametrize(
    ("batch_norm", "weights"),
    [(True, 3 * 3 * 4 * 5 + 4 * 5), (False, 3 * 3 * 4 * 5 + 5)],
)
def test_conv_block_has_a_bias_or_batch_norm(batch_norm, weights):
    x = keras.Input((None, None, 4))
    model = keras.Model(x, layers.conv_block(x, 5, batch_norm=batch_norm, name="block"))
    assert harness.count(model)[1] == weights


def test_batch_normalization_has_the_constants_of_pytorch():
    """A step moves the statistics by a tenth, and the variance counts as 1e-5 more."""
    x = keras.Input((None, None, 4))
    norm = keras.Model(x, layers.batch_normalization(x)).layers[-1]
    features = 5 + np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
    norm(features, training=True)
    mean, variance = features.mean((0, 1, 2)), features.var((0, 1, 2))
    _, _, moving_mean, moving_variance = norm.get_weights()
    np.testing.assert_allclose(moving_mean, 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(moving_variance, 0.9 + 0.1 * variance, rtol=1e-4)
    norm.moving_mean.assign(np.zeros(4))
    norm.moving_variance.assign(np.full(4, 2e-5))
    expected = features / np.sqrt(2e-5 + 1e-5)
    y = ops.convert_to_numpy(norm(features, training=False))
    np.testing.assert_allclose(y, expected, rtol=1e-4)


@pytest.mark.parametrize(("build", "count"), [(layers.conv_block, 1), (layers.separable_block, 2)])
def test_blocks_normalise_alike(build, count):
    x = keras.Input((None, None, 4))
    norms = [
        (layer.momentum, layer.epsilon)
        for layer in keras.Model(x, build(x, 6)).layers
        if isinstance(layer, klayers.BatchNormalization)
    ]
    assert norms == count * [(0.9, 1e-5)]


@pytest.mark.parametrize(
    ("arguments", "inner"),
    [
        ({}, {}),
        ({"kernel_size": 1}, {}),
        ({"dilation": 2}, {"dilation": 2}),
        ({"strides": 2}, {"strides": 2}),
    ],
)
@pytest.mark.parametrize("activation", ["relu", None])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_conv_block_is_convolution_then_norm_then_activation(
    arguments, inner, batch_norm, activation
):
    image = keras.Input((None, None, 4))
    arguments = {**arguments, "batch_norm": batch_norm}
    if activation != "relu":  # the default
        arguments["activation"] = activation
    model = keras.Model(image, layers.conv_block(image, 5, **arguments))
    kernel, *rest = harness.randomize(model).values()
    x = features(2, 9, 6, 4)
    assert kernel.shape[:2] == 2 * (arguments.get("kernel_size", 3),)
    y = references.convolve(x, kernel, **inner)
    y = references.normalize(y, *rest) if batch_norm else y + rest[0]
    expected = references.relu(y) if activation else y
    np.testing.assert_allclose(harness.outputs(model, x)[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "inner"),
    [
        ({}, {}),
        ({"kernel_size": 5}, {}),
        ({"dilation": 2}, {"dilation": 2}),
        ({"strides": 2}, {"strides": 2}),
        ({"inner_activation": False}, {}),
    ],
)
def test_separable_block_is_depthwise_then_1x1_each_normalised_and_activated(arguments, inner):
    image = keras.Input((None, None, 4))
    model = keras.Model(image, layers.separable_block(image, 5, **arguments))
    kernel, *between, mix, scale, shift, mean, variance = harness.randomize(model).values()
    x = features(2, 9, 6, 4)
    assert kernel.shape == 2 * (arguments.get("kernel_size", 3),) + (4, 1)
    y = references.convolve(x, kernel, depthwise=True, **inner)
    if arguments.get("inner_activation", True):
        y = references.relu(references.normalize(y, *between))
    y = references.normalize(references.convolve(y, mix), scale, shift, mean, variance)
    expected = references.relu(y)
    np.testing.assert_allclose(harness.outputs(model, x)[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("build", "layer", "fan_in"),
    [
        (layers.conv_block, "block", 9 * 32),
        (lambda x, n, name: layers.conv_block(x, n, 1, name=name), "block", 32),
        (layers.separable_block, "block_pointwise", 32),
        # Keras's "he_normal" would count 9 * 32, as in a full convolution.
        (layers.separable_block, "block_depthwise", 9),
        (lambda x, n, name: layers.separable_block(x, n, 5, name=name), "block_depthwise", 25),
    ],
)
def test_convolutions_start_as_he_says(build, layer, fan_in):
    """Kernels are normal with variance 2 / fan in (He et al., 2015), whatever the fan out."""
    keras.utils.set_random_seed(0)
    x = keras.Input((None, None, 32))
    model = keras.Model(x, build(x, 512, name="block"))
    kernel = model.get_layer(layer).get_weights()[0]
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / fan_in), rtol=0.1)
    kurtosis = np.mean((kernel / kernel.std()) ** 4)
    assert (
        2.2 < kurtosis < 2.9
    )  # 1.8 for a uniform distribution, 2.4 for a normal one cut at 2 sigma


@pytest.mark.parametrize("channels", [16, 256])
@pytest.mark.parametrize(
    ("build", "convolutions"),
    [
        (layers.conv_block, ["block"]),
        (layers.separable_block, ["block_depthwise", "block_pointwise"]),
    ],
)
def test_convolutions_keep_the_size_of_what_relu_leaves(build, convolutions, channels):
    """Half of the variance that He's kernels give is what ReLU takes away, at any width."""
    image = keras.Input((None, None, channels))
    x = harness.picture(12, 12, channels) - 0.5
    x = np.maximum(x / x.std(), 0)
    sizes = []
    # A depthwise kernel has few weights: their size is a mean over kernels, more of narrow ones.
    for seed in range(512 // channels):
        keras.utils.set_random_seed(seed)
        model = keras.Model(image, build(image, channels, name="block"))
        # Each from such features of its own: batch normalisation between them hides their size.
        outputs = [model.get_layer(name)(x)[:, 1:-1, 1:-1] for name in convolutions]
        sizes.append([np.mean(ops.convert_to_numpy(y) ** 2) for y in outputs])
    np.testing.assert_allclose(np.mean(sizes, axis=0), 2 * np.mean(x**2), rtol=0.2)


def test_layers_survive_saving(tmp_path):
    x = keras.Input((None, None, 3))
    y = layers.conv_block(x, 4, strides=2)
    y = layers.bilinear_transposed(4, 2)(y)
    y = layers.resize_to(layers.crop_to(y, x), x)
    harness.check_round_trip(keras.Model(x, layers.center_crop_to(y, x)), tmp_path)
