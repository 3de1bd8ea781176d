"""SegFormer: its blocks against NumPy loops, its parameters against the authors'."""

import math

import harness
import keras
import numpy as np
import pytest
from keras import layers

from segbook.complexity import cost
from segbook.layers.transformer import (
    mix_ffn,
    patch_embedding,
    reduced_attention,
    transformer_block,
)
from segbook.models import segformer


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


def norm(x, weights, prefix):
    gamma, beta = weights[f"{prefix}/gamma"], weights[f"{prefix}/beta"]
    centred = x - x.mean(-1, keepdims=True)
    return gamma * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) + beta


def squares(x, weights, prefix, size):
    """A convolution as large as its stride, as a loop over the squares that are whole."""
    kernel = weights[f"{prefix}/kernel"]
    height, width = x.shape[0] // size, x.shape[1] // size
    result = np.zeros((height, width, kernel.shape[-1]))
    for i, j in np.ndindex(height, width):
        square = x[i * size : (i + 1) * size, j * size : (j + 1) * size]
        result[i, j] = np.tensordot(square, kernel, 3) + weights[f"{prefix}/bias"]
    return result


def attend(x, weights, prefix, reduction):
    keys = x
    if reduction > 1:
        keys = squares(x, weights, f"{prefix}_reduce", reduction)
        keys = norm(keys, weights, f"{prefix}_reduce_norm")
    places, keys = x.reshape(-1, x.shape[-1]), keys.reshape(-1, x.shape[-1])

    def projected(values, part):
        kernel, bias = weights[f"{prefix}/{part}/kernel"], weights[f"{prefix}/{part}/bias"]
        return np.einsum("pc,chd->hpd", values, kernel) + bias[:, None]

    query, key, value = (
        projected(v, p) for v, p in ((places, "query"), (keys, "key"), (keys, "value"))
    )
    output = weights[f"{prefix}/attention_output/bias"]
    for head in range(len(query)):
        scores = query[head] @ key[head].T / math.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        context = shares @ value[head]
        output = output + context @ weights[f"{prefix}/attention_output/kernel"][head]
    return output.reshape(x.shape)


def feed_forward(x, weights, prefix):
    y = x @ weights[f"{prefix}_1/kernel"] + weights[f"{prefix}_1/bias"]
    padded = np.pad(y, ((1, 1), (1, 1), (0, 0)))
    kernel = weights[f"{prefix}_depthwise/kernel"][..., 0]
    y = weights[f"{prefix}_depthwise/bias"] + sum(
        padded[i : i + x.shape[0], j : j + x.shape[1]] * kernel[i, j] for i, j in np.ndindex(3, 3)
    )
    y = y * 0.5 * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
    return y @ weights[f"{prefix}_2/kernel"] + weights[f"{prefix}_2/bias"]


def values(model):
    return {w.path: np.asarray(w.numpy(), "float64") for w in model.weights}


@pytest.mark.parametrize(
    ("height", "width", "heads", "reduction"),
    [(6, 4, 1, 1), (6, 4, 2, 2), (7, 5, 3, 2), (8, 8, 2, 4)],
)
def test_a_block_equals_loops(height, width, heads, reduction):
    image = keras.Input((None, None, 12))
    y = transformer_block(image, heads, reduction=reduction, expansion=2, name="block")
    model = harness.shake(keras.Model(image, y), 0.3)
    weights, x = values(model), harness.picture(height, width, 12, batch=2)
    expected = []
    for picture in x.astype("float64"):
        picture = picture + attend(
            norm(picture, weights, "block_norm1"), weights, "block_attention", reduction
        )
        expected.append(
            picture + feed_forward(norm(picture, weights, "block_norm2"), weights, "block_ffn")
        )
    np.testing.assert_allclose(harness.outputs(model, x)[0], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("size", "places"), [(32, 8), (33, 9), (35, 9), (36, 9), (37, 10)])
def test_patches_are_centred_on_every_fourth_pixel(size, places):
    image = keras.Input((None, None, 1))
    x = patch_embedding(image, 8, 7, strides=4, name="patches")
    model = keras.Model(image, keras.Model(image, x).get_layer("patches").output)
    assert model(np.zeros((1, size, size, 1), "float32")).shape[1:3] == (places, places)
    kernel = np.zeros((7, 7, 1, 8), "float32")
    kernel[3, 3] = 1
    model.get_layer("patches").set_weights([kernel, np.zeros(8, "float32")])
    picture = harness.picture(size, size, 1, batch=1)
    found = harness.outputs(model, picture)[0][..., :1]
    np.testing.assert_array_equal(found, picture[:, ::4, ::4])


def test_without_positions_permuted_keys_change_nothing():
    image = keras.Input((None, None, 8))
    model = harness.shake(keras.Model(image, reduced_attention(image, 2)), 0.5)
    x = harness.picture(4, 6, 8, batch=1)
    order = np.random.default_rng(0).permutation(24)
    shuffled = x.reshape(1, 24, 8)[:, order].reshape(1, 4, 6, 8)
    first, second = (harness.outputs(model, p)[0].reshape(24, 8) for p in (x, shuffled))
    np.testing.assert_allclose(first[order], second, rtol=1e-4, atol=1e-5)


def test_the_mix_ffn_sees_one_place_around():
    image = keras.Input((9, 9, 4))
    model = harness.shake(keras.Model(image, mix_ffn(image, expansion=2)), 0.5)
    x = harness.picture(9, 9, 4, batch=1)
    moved = x.copy()
    moved[0, 4, 4] += 1
    changed = np.abs(np.subtract(*(harness.outputs(model, p)[0] for p in (x, moved)))).max(-1)[0]
    assert (changed > 1e-6).sum() == 9
    assert (changed[3:6, 3:6] > 1e-6).all()


@pytest.mark.parametrize(("classes", "parameters"), [(19, 3_719_027), (150, 3_752_694)])
def test_b0_has_the_parameters_of_the_authors(classes, parameters):
    assert harness.count(segformer(classes))[0] == parameters


# Table 1 of the paper, in millions: the encoders B1 and B2, and their decoders at 150 classes.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("depths", "decoder_width", "millions"),
    [((2, 2, 2, 2), 256, 13.7), ((3, 4, 6, 3), 768, 27.5)],
)
def test_larger_ones_have_the_parameters_of_the_paper(depths, decoder_width, millions):
    widths = (64, 128, 320, 512)
    model = segformer(150, widths, depths=depths, decoder_width=decoder_width)
    assert round(harness.count(model)[0] / 1e6, 1) == millions


def test_the_encoder_is_that_of_the_authors():
    model = segformer(19)
    attention = [x for x in model.layers if isinstance(x, layers.MultiHeadAttention)]
    assert [x.num_heads for x in attention] == [1, 1, 2, 2, 5, 5, 8, 8]
    assert [x.key_dim for x in attention] == [32] * 8
    reductions = {x.name: x.strides[0] for x in model.layers if x.name.endswith("attention_reduce")}
    assert list(reductions.values()) == [8, 8, 4, 4, 2, 2]
    norms = [x for x in model.layers if isinstance(x, layers.LayerNormalization)]
    assert {x.epsilon for x in norms} == {1e-6}
    assert len(norms) == 4 + 4 + 2 * 8 + 6


def test_whole_branches_are_left_out_more_often_further_in():
    model = segformer(3, drop_path=0.7)
    drops = [x for x in model.layers if isinstance(x, layers.Dropout) and "block" in x.name]
    # Two in each block but the first, whose share is zero.
    np.testing.assert_allclose([x.rate for x in drops], np.repeat(np.arange(1, 8) / 10, 2))
    y = np.asarray(drops[-1](np.ones((400, 2, 3, 4), "float32"), training=True)).reshape(400, -1)
    assert (y == y[:, :1]).all()
    assert set(np.unique(y.round(4))) == {0, np.float32(3.3333)}
    assert 0.6 < (y[:, 0] == 0).mean() < 0.8


def test_linear_maps_start_small_and_convolutions_by_their_outputs():
    model = segformer(3, (64, 64, 64, 64), heads=(1, 1, 1, 1), depths=(1, 1, 1, 1))
    spread = {w.path: np.std(w.numpy()) for w in model.trainable_variables}
    assert spread["stage4_block1_ffn_1/kernel"] == pytest.approx(0.0176, rel=0.05)
    assert spread["stage4_block1_attention/query/kernel"] == pytest.approx(0.0176, rel=0.05)
    assert spread["patches2/kernel"] == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.05)
    assert spread["stage4_block1_ffn_depthwise/kernel"] == pytest.approx(math.sqrt(2 / 9), rel=0.05)


@pytest.mark.parametrize("keywords", [False, True])
def test_the_cost_of_attention_is_a_count_by_hand(keywords):
    x, keys = keras.Input((None, None, 12)), keras.Input((2, 3, 6))
    layer = layers.MultiHeadAttention(2, 4, value_dim=5, output_shape=7, attention_axes=(1, 2))
    y = layer(query=x, value=keys) if keywords else layer(x, keys)
    inner = keras.Model([x, keys], y)
    image = keras.Input((None, None, 12))
    reduced = layers.Conv2D(6, 4, strides=4, use_bias=False)(image)
    model = keras.Model(image, inner([image, reduced]))
    by_hand = 2 * 3 * 4 * 4 * 12 * 6  # the convolution
    by_hand += 96 * 12 * 8 + 6 * 6 * 8 + 6 * 6 * 10 + 96 * 10 * 7  # the four projections
    by_hand += 96 * 6 * (8 + 10)  # scores and sums
    assert cost(model, (8, 12)).multiply_adds == by_hand


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": (8, 16, 32)}, r"widths=\(8, 16, 32\) must be four numbers"),
        ({"depths": (1, 0, 1, 1)}, r"depths=\(1, 0, 1, 1\) must be four numbers of 1 or more"),
        ({"heads": (3, 2, 5, 8)}, r"heads=\(3, 2, 5, 8\) must divide widths="),
        ({"input_shape": (31, 64, 3)}, "at least 32x32"),
        ({"reductions": (16, 4, 2, 1), "input_shape": (32, 32, 3)}, "at least 64x64"),
    ],
)
def test_what_does_not_fit_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        segformer(3, **options)


def test_the_seed_decides_the_initial_weights_and_no_two_layers_share_them():
    options = {"heads": (1, 1, 1, 1), "depths": (2, 1, 1, 1), "decoder_width": 8}

    def start(seed):
        keras.utils.set_random_seed(seed)
        model = segformer(3, (8, 8, 8, 8), **options)
        return {w.path: w.numpy() for w in model.trainable_variables}

    first, again, other = start(1), start(1), start(2)
    random = [path for path in first if path.endswith("kernel")]
    for path in random:
        np.testing.assert_array_equal(first[path], again[path])
        assert (first[path] != other[path]).any()
    by_shape = {}
    for path in random:
        by_shape.setdefault(first[path].shape, []).append(first[path])
    for kernels in by_shape.values():
        for i, kernel in enumerate(kernels):
            assert not any((kernel == before).all() for before in kernels[:i])
