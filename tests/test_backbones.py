"""Backbones: strides, sizes, parameters, dilation, and what keras.applications computes."""

import functools

import harness
import keras
import numpy as np
import pytest
from keras import layers, ops

from segbook import backbones
from segbook.backbones import dilation, preprocessing

STRIDES = (2, 4, 8, 16, 32)

# What keras.applications counts without its classifier, and its preprocessing.
# EfficientNet-Lite0 has tests of its own.
PUBLISHED = {
    "vgg16": (14_714_688, keras.applications.vgg16.preprocess_input),
    "resnet50": (23_587_712, keras.applications.resnet.preprocess_input),
    "resnet101": (42_658_176, keras.applications.resnet.preprocess_input),
    "mobilenet_v2": (2_257_984, keras.applications.mobilenet_v2.preprocess_input),
    "xception": (20_861_480, keras.applications.xception.preprocess_input),
    "efficientnet_b0": (4_049_571, keras.applications.efficientnet.preprocess_input),
    "densenet121": (7_037_504, keras.applications.densenet.preprocess_input),
}


@functools.cache
def built(name):
    return backbones.BUILDERS[name]()


@pytest.mark.parametrize(
    ("build", "channels"),
    [
        (lambda: backbones.small_encoder(width=4), (4, 8, 16, 32, 32)),
        (lambda: backbones.vgg(width=2), (2, 4, 8, 16, 16)),
        (lambda: backbones.vgg(width=2, batch_norm=True), (2, 4, 8, 16, 16)),
        (lambda: built("resnet50"), (64, 256, 512, 1024, 2048)),
    ],
)
def test_features_have_ceil_sizes_at_strides_2_to_32(build, channels):
    model = build()
    features = harness.outputs(model, harness.picture(65, 97, batch=1))
    expected = [(1, -(-65 // s), -(-97 // s), c) for s, c in zip(STRIDES, channels, strict=True)]
    assert [f.shape for f in features] == expected


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("vgg16", (64, 128, 256, 512, 512)),
        ("resnet50", (64, 256, 512, 1024, 2048)),
        pytest.param("resnet101", (64, 256, 512, 1024, 2048), marks=pytest.mark.slow),
        ("mobilenet_v2", (96, 144, 192, 576, 1280)),
        ("xception", (128, 256, 728, 1024, 2048)),
        ("efficientnet_b0", (96, 144, 240, 672, 1280)),
        ("densenet121", (64, 256, 512, 1024, 1024)),
    ],
)
def test_backbone_has_the_published_parameters_features_and_preprocessing(name, channels):
    parameters, preprocess = PUBLISHED[name]
    model = built(name)
    assert model.count_params() == parameters
    shapes = model.compute_output_shape((1, 64, 96, 3))
    assert tuple(shape[3] for shape in shapes) == channels
    for (_, height, width, _), stride in zip(shapes, STRIDES, strict=True):
        assert abs(height - 64 / stride) <= 3
        assert abs(width - 96 / stride) <= 3

    image = harness.picture(4, 5)
    prepared = model.get_layer("preprocessing")(image)
    expected = preprocess(255 * image)
    np.testing.assert_allclose(ops.convert_to_numpy(prepared), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (preprocessing.caffe, keras.applications.vgg16.preprocess_input),
        (preprocessing.signed, keras.applications.xception.preprocess_input),
        (preprocessing.bytes, lambda image: image),
        (preprocessing.standardized, keras.applications.densenet.preprocess_input),
    ],
)
def test_preprocessing_is_that_of_keras_and_alike_for_grey(prepare, expected):
    image = harness.picture(4, 5)
    found = ops.convert_to_numpy(prepare(keras.ops.convert_to_tensor(image)))
    np.testing.assert_allclose(found, expected(255 * image), rtol=1e-4, atol=1e-3)
    grey = image[..., :1]
    as_colour = prepare(keras.ops.convert_to_tensor(np.repeat(grey, 3, -1)))
    mean = ops.convert_to_numpy(as_colour).mean(axis=-1, keepdims=True)
    found = ops.convert_to_numpy(prepare(keras.ops.convert_to_tensor(grey)))
    np.testing.assert_allclose(found, mean, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("build", "stem"),
    [
        (lambda shape: backbones.vgg(shape, width=1), "preprocessing"),
        pytest.param(backbones.resnet50, "preprocessing", marks=pytest.mark.slow),
        pytest.param(backbones.mobilenet_v2, "preprocessing", marks=pytest.mark.slow),
        pytest.param(backbones.efficientnet_b0, "normalization", marks=pytest.mark.slow),
    ],
)
def test_pictures_of_four_channels_are_as_bright(build, stem):
    spreads = []
    for channels in (3, 4):
        model = build((None, None, channels))
        names = [layer.name for layer in model.layers if layer.name.startswith(stem)]
        stem_of = keras.Model(model.input, model.get_layer(names[0]).output)
        x = harness.picture(32, 32, channels)
        spreads.append(float(ops.convert_to_numpy(stem_of(x)).std()))
    assert spreads[1] == pytest.approx(spreads[0], rel=0.1)


@pytest.mark.parametrize(
    "model",
    [
        lambda: backbones.small_encoder(width=4),
        lambda: backbones.vgg(width=4, batch_norm=True),
        lambda: backbones.vgg(width=4),
    ],
)
def test_convolutions_start_as_he_and_norms_with_the_house_momentum(model):
    for layer in model().layers:
        if isinstance(layer, layers.Conv2D) and layer.kernel.shape[-2] >= 16:
            kernel = ops.convert_to_numpy(layer.kernel)
            # He et al., 2015: deviation sqrt(2 / fan in); Glorot's would be 0.7 times that or less.
            expected = np.sqrt(2 / np.prod(kernel.shape[:3]))
            assert kernel.std() == pytest.approx(expected, rel=0.06), layer.name
        if isinstance(layer, layers.BatchNormalization):
            assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)


def test_vgg16_has_the_layers_of_keras_applications():
    for layer in keras.applications.VGG16(include_top=False, weights=None).layers[1:]:
        expected, found = layer.get_config(), built("vgg16").get_layer(layer.name).get_config()
        for name in ("filters", "kernel_size", "pool_size", "strides", "dilation_rate"):
            assert found.get(name) == expected.get(name), (layer.name, name)


@pytest.mark.slow
def test_vgg16_equals_keras_applications():
    theirs = keras.applications.VGG16(include_top=False, weights=None)
    theirs.set_weights(built("vgg16").get_weights())
    x = harness.picture(64, 96, batch=1)
    prepared = keras.applications.vgg16.preprocess_input(255 * x)
    expected = ops.convert_to_numpy(theirs(prepared))
    features = harness.outputs(built("vgg16"), x)[-1]
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3)


slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "output_stride", "first"),
    [
        ("small", 16, 0),
        ("small", 8, 0),
        pytest.param("resnet50", 16, 0, marks=slow),
        pytest.param("resnet50", 8, 0, marks=slow),
        # Its padded, strided convolution looks one sample ahead, and so does each sample kept.
        pytest.param("mobilenet_v2", 16, 1, marks=slow),
        ("mobilenet_v2", 8, 3),
        pytest.param("xception", 16, 0, marks=slow),
        pytest.param("xception", 8, 0, marks=slow),
    ],
)
def test_dilated_features_equal_the_strided_ones_where_both_are(name, output_stride, first):
    if name == "small":
        strided = backbones.small_encoder(width=4)
        dilated = backbones.small_encoder(width=4, output_stride=output_stride)
    else:
        strided = built(name)
        dilated = backbones.BUILDERS[name](output_stride=output_stride)
    dilated.set_weights(strided.get_weights())
    x = harness.picture(64, 96, batch=1)
    expected, dense = harness.outputs(strided, x)[-1], harness.outputs(dilated, x)[-1]
    step = 32 // output_stride
    assert dense.shape[1:3] == (64 // output_stride, 96 // output_stride)
    sampled = dense[:, first::step, first::step]
    np.testing.assert_allclose(sampled, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("output_stride", "multi_grid", "expected"),
    [
        (32, (1, 1, 1), {4: [1, 1], 5: [1, 1, 1]}),
        (16, (1, 1, 1), {4: [1, 1], 5: [2, 2, 2]}),
        (16, (1, 2, 4), {4: [1, 1], 5: [2, 4, 8]}),
        (8, (1, 2, 4), {4: [2, 2], 5: [4, 8, 16]}),
    ],
)
def test_rates_of_the_last_stages(output_stride, multi_grid, expected):
    changes = dilation.resnet(output_stride, (3, 4, 2, 3), multi_grid)
    for stage, rates in expected.items():
        found = [
            changes[f"conv{stage}_block{i + 1}_2_conv"]["dilation_rate"] for i in range(len(rates))
        ]
        assert found == rates
    lost = {stage for stage, stride in ((4, 16), (5, 32)) if stride > output_stride}
    strides = {name: change["strides"] for name, change in changes.items() if "strides" in change}
    # The shortcut of a stage's first block has the stride as well.
    assert strides == {f"conv{stage}_block1_{i}_conv": 1 for stage in lost for i in (0, 1)}


@pytest.mark.parametrize(
    ("output_stride", "strided", "expected"),
    [
        (32, {6, 13}, {6: 1, 7: 1, 12: 1, 13: 1, 14: 1, 16: 1}),
        (16, {6}, {6: 1, 7: 1, 12: 1, 13: 1, 14: 2, 16: 2}),
        (8, set(), {6: 1, 7: 2, 12: 2, 13: 2, 14: 4, 16: 4}),
    ],
)
def test_rates_of_mobilenet_v2(output_stride, strided, expected):
    """Blocks 6 and 13 have the strides; what comes after a lost one is dilated, not it itself."""
    changes = dilation.mobilenet_v2(output_stride)
    lost = {13, 6} - strided
    assert {i for i in range(17) if "strides" in changes.get(f"block_{i}_depthwise", {})} == lost
    assert {f"block_{i}_pad" for i in lost} == {name for name in changes if name.endswith("_pad")}
    assert {i: changes[f"block_{i}_depthwise"]["dilation_rate"] for i in expected} == expected
    assert len(changes) == 11 + len(lost)


@pytest.mark.parametrize(
    ("output_stride", "pools", "shortcuts", "expected"),
    [
        (32, {}, set(), {5: 1, 13: 1, 14: 1}),
        (16, {13: 1}, {3}, {5: 1, 13: 1, 14: 2}),
        (8, {4: 1, 13: 2}, {2, 3}, {5: 2, 13: 2, 14: 4}),
    ],
)
def test_rates_of_xception(output_stride, pools, shortcuts, expected):
    """Blocks 4 and 13 end in pooling, beside the third and fourth shortcut with a stride."""
    changes = dilation.xception(output_stride)
    pooling = {name: change.dilation for name, change in changes.items() if "_pool" in str(name)}
    assert pooling == {f"block{block}_pool": rate for block, rate in pools.items()}
    assert {key for key in changes if isinstance(key, int)} == shortcuts
    for block, rate in expected.items():
        for i in (1, 2, 3):
            assert changes[f"block{block}_sepconv{i}"] == {"dilation_rate": rate}
    assert len(changes) == 10 * 3 + 2 * len(pools)


@pytest.mark.parametrize("size", [(360, 480), (180, 240), (65, 97), (33, 33), (70, 50)])
@pytest.mark.parametrize("output_stride", [32, 16, 8])
def test_encoders_of_fixed_size_are_recognised(size, output_stride):
    encoder = backbones.small_encoder((*size, 3), width=1, output_stride=output_stride)
    found = backbones.get_backbone(encoder, (*size, 3), output_stride=output_stride)
    assert found is encoder
    for other in {32, 16, 8} - {output_stride}:
        with pytest.raises(ValueError, match=f"was built with {output_stride}"):
            backbones.get_backbone(encoder, (*size, 3), output_stride=other)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(None, None), (180, 240), (95, 65)])
@pytest.mark.parametrize("name", ["mobilenet_v2", "xception", "densenet121", "efficientnet_b0"])
def test_encoders_that_round_down_are_recognised(name, size):
    for output_stride in (32, 16, 8) if name in ("mobilenet_v2", "xception") else (32,):
        encoder = backbones.BUILDERS[name]((*size, 3), output_stride=output_stride)
        backbones.get_backbone(encoder, (*size, 3), output_stride=output_stride)


@pytest.mark.slow
def test_multi_grid_multiplies_the_dilation_of_the_last_stage():
    model = backbones.resnet50(output_stride=16, multi_grid=(1, 2, 4))
    rates = [model.get_layer(f"conv5_block{i}_2_conv").dilation_rate[0] for i in (1, 2, 3)]
    assert rates == [2, 4, 8]
    assert model.get_layer("conv4_block6_2_conv").dilation_rate == (1, 1)


def test_dilated_vgg_is_that_of_deeplab():
    model = backbones.vgg(width=2, output_stride=8, pool_size=3)
    assert {model.get_layer(f"block{i}_pool").pool_size for i in range(1, 6)} == {(3, 3)}
    assert backbones.vgg(width=2).get_layer("block1_pool").pool_size == (2, 2)
    features = harness.outputs(model, harness.picture(65, 97, batch=1))
    assert [f.shape[1:3] for f in features] == [(33, 49), (17, 25), (9, 13), (9, 13), (9, 13)]
    assert model.get_layer("block5_conv1").dilation_rate == (2, 2)
    assert model.get_layer("block4_conv1").dilation_rate == (1, 1)


def test_small_encoder_saves_and_every_weight_has_a_gradient(tmp_path):
    model = backbones.small_encoder(width=4, output_stride=8)
    harness.check_round_trip(model, tmp_path)
    harness.check_gradients(model)


@pytest.mark.slow
def test_a_dilated_backbone_saves(tmp_path):
    model = backbones.mobilenet_v2(output_stride=8)
    harness.check_round_trip(model, tmp_path)


@pytest.mark.parametrize("name", PUBLISHED)
def test_weights_need_three_channels(name):
    with pytest.raises(ValueError, match=r"has 4 channels.*need 3 \(RGB\)"):
        backbones.BUILDERS[name]((None, None, 4), weights="imagenet")


@pytest.mark.parametrize(("name", "keras_name"), [("vgg16", "VGG16"), ("resnet50", "ResNet50")])
def test_no_network_says_what_to_do(monkeypatch, name, keras_name):
    def refuse(**kwargs):
        raise Exception("URL fetch failure on https://somewhere: None -- no route to host")

    monkeypatch.setattr(keras.applications, keras_name, refuse)
    with pytest.raises(ConnectionError, match="weights=None for random weights"):
        backbones.BUILDERS[name](weights="imagenet")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("small_encoder", {"output_stride": 4}, r"output_stride=4 of small_encoder must be one of"),
        ("vgg", {"output_stride": 64}, r"output_stride=64 of vgg must be one of \(32, 16, 8\)"),
        ("resnet50", {"output_stride": 4}, "output_stride=4 of resnet50 must be one of"),
        ("resnet50", {"multi_grid": (1, 2)}, r"multi_grid=\(1, 2\) must be 3 factors"),
        ("mobilenet_v2", {"output_stride": 4}, "output_stride=4 of mobilenet_v2 must be one of"),
        ("xception", {"output_stride": 4}, "output_stride=4 of xception must be one of"),
        ("efficientnet_b0", {"output_stride": 16}, "choose a ResNet, VGG, Xception or MobileNetV2"),
        ("densenet121", {"output_stride": 8}, r"must be one of \(32,\)"),
    ],
)
def test_arguments_that_do_not_fit(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(backbones, name)(**arguments)


@pytest.mark.parametrize(
    ("backbone", "arguments", "message"),
    [
        (lambda: "resnet5", {}, "backbone='resnet5' is unknown; it must be one of vgg16, resnet50"),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 3)), keras.layers.ReLU()]),
            {},
            "has 1 outputs; it must have",
        ),
        (
            lambda: backbones.small_encoder(width=2),
            {"weights": "imagenet"},
            "is for a backbone given by name",
        ),
        (
            lambda: backbones.small_encoder((96, 96, 3), width=2),
            {"output_stride": 8},
            r"built with 32\. Build it with output_stride=8",
        ),
    ],
)
def test_backbones_that_do_not_fit(backbone, arguments, message):
    with pytest.raises(ValueError, match=message):
        backbones.get_backbone(backbone(), **arguments)
