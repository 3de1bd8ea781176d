"""Attention against NumPy, and the reach that the papers claim."""

import harness
import keras
import layer_references as references
import numpy as np
import pytest
from backends import compilers
from keras import ops
from layer_references import softmax

from segbook.backend import gradient
from segbook.layers import attention


def features(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def shaken(layer, x, gamma=0.7):
    """Build the layer with random weights and this gamma; return it and its 1x1 convolutions."""
    layer(x)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape).astype("float32") * 0.5)
    layer.gamma.assign(gamma)

    def project(name):
        kernel, bias = getattr(layer, name).get_weights()
        return x.astype("float64") @ kernel[0, 0] + bias

    return layer, project


def position_reference(x, query, key, value):
    batch, height, width, _ = x.shape
    query, key, value = (y.reshape(batch, height * width, -1) for y in (query, key, value))
    weights = softmax(query @ key.transpose(0, 2, 1))
    return (weights @ value).reshape(x.shape)


def criss_cross_reference(x, query, key, value):
    out = np.zeros(x.shape)
    batch, height, width, _ = x.shape
    for n, i, j in np.ndindex(batch, height, width):
        cross = [(k, j) for k in range(height)] + [(i, k) for k in range(width) if k != j]
        energy = np.array([query[n, i, j] @ key[n, a, b] for a, b in cross])
        out[n, i, j] = softmax(energy) @ np.array([value[n, a, b] for a, b in cross])
    return out


@pytest.mark.parametrize(
    ("layer", "reference"),
    [
        (attention.PositionAttention, position_reference),
        (attention.CrissCrossAttention, criss_cross_reference),
    ],
)
@pytest.mark.parametrize(("height", "width"), [(5, 4), (3, 6)])
def test_attention_over_places_equals_numpy(layer, reference, height, width):
    x = features(2, height, width, 16)
    layer, project = shaken(layer(), x)
    expected = x + 0.7 * reference(x, *(project(name) for name in ("query", "key", "value")))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layer", [attention.PositionAttention, attention.CrissCrossAttention])
def test_attention_over_places_has_the_parameters_of_the_paper(layer):
    layer = layer()
    layer.build((None, None, None, 512))
    assert layer.count_params() == 328_321


def test_channel_attention_equals_the_paper_not_its_code():
    x = features(2, 5, 4, 6)
    x[..., 1] = 0.9 * x[..., 0]
    layer = attention.ChannelAttention()
    layer(x)
    layer.gamma.assign(0.7)
    flat = x.reshape(2, 20, 6).astype("float64")
    energy = flat.transpose(0, 2, 1) @ flat
    paper, code = softmax(energy), softmax(energy.max(-1, keepdims=True) - energy)
    attended = [x + 0.7 * (flat @ w.transpose(0, 2, 1)).reshape(x.shape) for w in (paper, code)]
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(y, attended[0], rtol=1e-3, atol=1e-4)
    # `max - energy` turns similarity round: channel 0 would see its near copy least.
    assert paper[0, 0, 1] > paper[0, 0, 2:].max()
    assert code[0, 0, 1] < code[0, 0, 2:].min()
    assert np.abs(y - attended[1]).max() > 0.1


@pytest.mark.parametrize(
    "layer",
    [attention.PositionAttention, attention.CrissCrossAttention, attention.ChannelAttention],
)
def test_attention_is_the_identity_at_its_start(layer):
    x = features(2, 5, 4, 16)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer()(x)), x)


@pytest.mark.parametrize(("recurrence", "everything"), [(1, False), (2, True)])
def test_criss_cross_sees_a_cross_once_and_everything_twice(recurrence, everything):
    x = 0.2 * features(1, 5, 6, 16)
    layer, _ = shaken(attention.CrissCrossAttention(), x)

    def centre(x):
        for _ in range(recurrence):
            x = layer(x)
        return ops.sum(x[0, 2, 3])

    support = np.abs(gradient(centre, x)).max(axis=(0, 3)) > 0
    cross = np.zeros((5, 6), bool)
    cross[2], cross[:, 3] = True, True
    np.testing.assert_array_equal(support, cross | everything)


def test_region_weights_sum_to_one_over_space():
    weights = ops.convert_to_numpy(attention.region_weights(features(2, 5, 4, 3)))
    assert weights.shape == (2, 5, 4, 3)
    np.testing.assert_allclose(weights.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_object_regions_and_their_mixtures_equal_numpy():
    x, logits = features(2, 5, 4, 6), features(2, 5, 4, 3, seed=1)
    weights = softmax(logits.reshape(2, 20, 3), axis=1)
    expected = weights.transpose(0, 2, 1) @ x.reshape(2, 20, 6)
    regions = ops.convert_to_numpy(attention.ObjectRegions()([x, logits]))
    np.testing.assert_allclose(regions, expected[:, None], rtol=1e-4, atol=1e-5)

    mixture = softmax(x.reshape(2, 20, 6) @ expected.transpose(0, 2, 1) / np.sqrt(6)) @ expected
    attended = attention.ScaledDotProduct()([x, regions, regions])
    np.testing.assert_allclose(
        ops.convert_to_numpy(attended), mixture.reshape(2, 5, 4, 6), rtol=1e-4, atol=1e-5
    )


def test_object_context_equals_numpy():
    """Equations 2 to 5: places ask, regions answer, and the answer stands beside the features."""
    inputs = keras.Input((None, None, 6)), keras.Input((None, None, 3))
    model = keras.Model(inputs, attention.object_context(*inputs, key_channels=4, filters=5))
    values = harness.randomize(model)

    def block(x, name):
        mine = [value for path, value in values.items() if path.startswith(f"ocr_{name}")]
        return references.block(x, iter(mine))

    x, logits = features(2, 5, 4, 6), features(2, 5, 4, 3, seed=1)
    shares = softmax(logits.reshape(2, 20, 3), axis=1)
    regions = (shares.transpose(0, 2, 1) @ x.reshape(2, 20, 6))[:, None]
    query, key = (block(block(y, f"{k}_1"), f"{k}_2") for y, k in ((x, "query"), (regions, "key")))
    fit = softmax(query @ key.transpose(0, 1, 3, 2) / np.sqrt(4))
    context = block(fit @ block(regions, "value"), "up")
    expected = block(np.concatenate([context, x], axis=-1), "fuse")
    y = ops.convert_to_numpy(model([x, logits]))
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)


def test_object_context_drops_whole_channels():
    x = keras.Input((None, None, 8))
    model = keras.Model(x, attention.object_context(x, x, key_channels=4, dropout=0.5))
    assert type(model.get_layer("ocr_dropout")) is keras.layers.SpatialDropout2D


def test_too_few_channels_for_the_reduction():
    with pytest.raises(ValueError, match="reduction=8 must be at most the number of channels, 4"):
        attention.PositionAttention()(features(1, 3, 3, 4))


BLOCKS = {
    "position": lambda x: attention.PositionAttention(reduction=4)(x),
    "channel": lambda x: attention.ChannelAttention()(x),
    "criss-cross": lambda x: attention.CrissCrossAttention(reduction=4)(x),
    "object context": lambda x: attention.object_context(
        x, keras.layers.Conv2D(3, 1)(x), key_channels=4, filters=5, dropout=0.0
    ),
}
blocks = pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())


@blocks
def test_blocks_save_and_pass_gradients(block, tmp_path):
    x = keras.Input((None, None, 3))
    model = keras.Model(x, block(keras.layers.Conv2D(8, 1)(x)))
    harness.check_round_trip(model, tmp_path, size=(9, 7))
    # A softmax over keys does not feel what is added to all of them.
    harness.check_gradients(model, size=(9, 7), still=("key/bias",))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (attention.PositionAttention, [(2, 9, 7, 16)]),
        (attention.CrissCrossAttention, [(2, 9, 7, 16)]),
        (attention.ChannelAttention, [(2, 9, 7, 16)]),
        (attention.ObjectRegions, [(2, 9, 7, 16), (2, 9, 7, 3)]),
        (attention.ScaledDotProduct, [(2, 9, 7, 16), (2, 1, 3, 16), (2, 1, 3, 5)]),
    ],
)
def test_large_features_are_attended_to_in_any_precision(layer, shapes, policy):
    """Their products pass 65504, where float16 ends."""
    inputs = [300 * features(*shape, seed=i) for i, shape in enumerate(shapes)]
    inputs = inputs[0] if len(inputs) == 1 else inputs
    layer = layer(dtype=policy)
    layer(inputs)
    for weight in layer.weights:
        weight.assign(0.3 * features(*weight.shape) if weight.shape else 1.0)
    y = layer(inputs)
    if policy != "float64":  # in which Keras multiplies matrices on TensorFlow alone
        assert keras.backend.standardize_dtype(y.dtype) == layer.compute_dtype
    assert np.isfinite(ops.convert_to_numpy(ops.cast(y, "float32"))).all()


@blocks
@pytest.mark.parametrize("way", compilers().values(), ids=compilers().keys())
def test_blocks_compile(block, way):
    x = keras.Input((None, None, 8))
    model = harness.shake(keras.Model(x, block(x)), 0.5)
    picture = ops.convert_to_tensor(features(2, 5, 7, 8))
    compiled = way(lambda x: model(x, training=False))(picture)
    np.testing.assert_allclose(
        ops.convert_to_numpy(compiled), harness.outputs(model, picture)[0], rtol=1e-4, atol=1e-5
    )
