"""Every model: shapes, saving, precision, gradients, learning, parameters, errors."""

import sys

import harness
import keras
import layer_references as references
import numpy as np
import pytest
from backends import compilers
from keras import layers, ops

from segbook import models
from segbook.backbones import resnet50, small_encoder, vgg16
from segbook.models import ccnet, danet, ocrnet
from segbook.models.deeplab import (
    atrous_rates,
    deeplab_v1,
    deeplab_v2,
    deeplab_v3,
    deeplab_v3plus,
)
from segbook.models.fcn import fcn
from segbook.models.fcn_resnet import fcn_resnet
from segbook.models.parts import auxiliary_head
from segbook.models.pspnet import pspnet
from segbook.models.segformer import segformer
from segbook.models.segnet import segnet
from segbook.models.unet import unet, unet_output_size


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


@pytest.fixture
def zeros(monkeypatch):
    """Models of full size start at zero: drawing 136 million numbers takes seconds."""
    monkeypatch.setattr(
        keras.initializers.VarianceScaling,
        "__call__",
        lambda self, shape, dtype=None: ops.zeros(shape, dtype or "float32"),
    )


def encoder(output_stride=32):
    return small_encoder(width=4, output_stride=output_stride)


TINY = {
    "fcn32s": lambda: fcn(3, stride=32, backbone=encoder(), dropout=0.0),
    "fcn8s": lambda: fcn(3, backbone=encoder(), dropout=0.0, skip_scales=(0.1, 0.01)),
    "fcn16s transposed": lambda: fcn(
        3, stride=16, backbone=encoder(), dropout=0.0, up="transposed"
    ),
    "unet": lambda: unet(3, width=4, depth=2, dropout=0.0),
    "unet bilinear": lambda: unet(3, width=4, depth=2, up="bilinear", batch_norm=True, dropout=0.0),
    "segnet": lambda: segnet(3, width=4, depths=(1, 2, 1)),
    "deeplab_v1": lambda: deeplab_v1(3, encoder(8), rate=2, width=8, dropout=0.0),
    "deeplab_v2": lambda: deeplab_v2(3, encoder(8), rates=(1, 2)),
    "deeplab_v2 hidden": lambda: deeplab_v2(3, encoder(8), rates=(1, 2), hidden=8, dropout=0.0),
    "deeplab_v3": lambda: deeplab_v3(
        3, encoder(16), rates=(1, 2), width=8, auxiliary=True, dropout=0.0
    ),
    "deeplab_v3plus": lambda: deeplab_v3plus(
        3, encoder(16), rates=(1, 2), width=8, low_width=4, dropout=0.0
    ),
    "deeplab_v3plus fine": lambda: deeplab_v3plus(
        3, encoder(16), rates=(1, 2), width=8, low_width=4, fine_width=4, dropout=0.0
    ),
    "pspnet": lambda: pspnet(3, encoder(8), output_stride=8, bins=(1, 2), width=8, dropout=0.0),
    "danet": lambda: danet(3, encoder(8), width=8, auxiliary=True, dropout=0.0),
    "ccnet": lambda: ccnet(3, encoder(8), width=8, dropout=0.0),
    "ocrnet": lambda: ocrnet(3, encoder(8), width=8, key_channels=4, auxiliary=True, dropout=0.0),
    "segformer": lambda: segformer(
        3,
        (4, 8, 12, 16),
        heads=(1, 2, 2, 4),
        depths=(1, 2, 1, 1),
        reductions=(2, 2, 1, 1),  # with one key alone, no gradient reaches the queries
        decoder_width=8,
        dropout=0.0,
    ),
}


@pytest.fixture(scope="module", params=TINY)
def tiny(request):
    """One model of each kind, for the tests that do not mind what its weights are."""
    keras.utils.set_random_seed(0)
    return TINY[request.param]()


def test_logits_have_the_size_of_the_picture(tiny):
    harness.check_sizes(tiny, (*harness.SIZES, (64, 96)))


def test_saves_without_custom_objects(tiny, tmp_path):
    harness.check_round_trip(tiny, tmp_path)


def test_gradient_reaches_every_weight(tiny):
    # Batch norm takes away SegNet's biases, a softmax over keys what is added to all of them.
    harness.check_gradients(tiny, still=("coder1_conv1/bias", "key/bias"))


# One of each family.
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", [name for name in TINY if " " not in name and name != "fcn32s"])
def test_half_precision_gives_finite_float32_logits(name, precision):
    harness.check_mixed_precision(TINY[name], precision=precision)


@pytest.mark.parametrize("name", ["danet", "ccnet", "ocrnet", "pspnet"])
def test_models_compute_in_double_precision(name):
    with harness.policy("float64"):
        model = TINY[name]()
        harness.check_sizes(harness.shake(model), [(33, 33)])


# What the others are made of: a frozen layer, unpooling, attention.
@pytest.mark.parametrize("name", ["fcn16s transposed", "segnet", "ccnet"])
def test_two_steps_lower_the_loss(name):
    harness.check_learns(TINY[name]())


# Attention compiles in test_attention.py.
@pytest.mark.parametrize("name", ["segnet", "deeplab_v3plus"])
def test_models_compile(name):
    model = harness.shake(TINY[name]())
    x = ops.convert_to_tensor(harness.picture(33, 40))
    (expected,) = harness.outputs(model, x)
    for way, compiled in compilers().items():
        logits = ops.convert_to_numpy(compiled(lambda x: model(x, training=False))(x))
        np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4, err_msg=way)


# Small sizes that the docstrings promise for a laptop.
LAPTOP = {
    "fcn": lambda n: fcn(n, backbone=small_encoder()),
    "unet": lambda n: unet(n, width=16, depth=3),
    "segnet": lambda n: segnet(n, width=16, depths=(1, 2, 2, 2)),
    "deeplab_v1": lambda n: deeplab_v1(n, small_encoder(output_stride=8), rate=4, width=128),
    "deeplab_v2": lambda n: deeplab_v2(n, small_encoder(output_stride=8), rates=(1, 2, 4, 6)),
    "deeplab_v3": lambda n: deeplab_v3(n, small_encoder(output_stride=16), width=48),
    "deeplab_v3plus": lambda n: deeplab_v3plus(
        n, small_encoder(output_stride=16), width=64, low_width=16
    ),
    "pspnet": lambda n: pspnet(n, small_encoder(output_stride=8), width=96),
    "danet": lambda n: danet(n, small_encoder(output_stride=8), width=48),
    "ccnet": lambda n: ccnet(n, small_encoder(output_stride=8), width=48),
    "ocrnet": lambda n: ocrnet(n, small_encoder(output_stride=8), width=64, key_channels=32),
    "segformer": lambda n: segformer(
        n, (16, 32, 64, 96), heads=(1, 1, 2, 3), decoder_width=64, drop_path=0.0
    ),
}


# Share that is dropped by default: the paper's or the authors' code's, v3's torchvision's.
DROPOUT = {
    "fcn": 0.5,
    "unet": 0.5,
    "deeplab_v1": 0.5,
    "deeplab_v3": 0.5,
    "deeplab_v3plus": 0.1,
    "pspnet": 0.1,
    "danet": 0.1,
    "ccnet": 0.1,
    "ocrnet": 0.05,
    "segformer": 0.1,
}


@pytest.mark.parametrize("name", LAPTOP)
def test_models_for_a_laptop_have_one_output_and_less_than_a_million_parameters(name, zeros):
    model = LAPTOP[name](9)
    assert len(model.outputs) == 1
    assert 400_000 < model.count_params() < 1_000_000
    rates = {layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)}
    assert rates == ({DROPOUT[name]} if name in DROPOUT else set())


@pytest.mark.parametrize(
    ("stride", "parameters"), [(32, 136_152_917), (16, 134_815_994), (8, 134_489_759)]
)
def test_fcn_has_the_parameters_of_the_paper(stride, parameters, zeros):
    model = fcn(21, stride=stride)
    assert model.count_params() == parameters
    fixed = model.get_layer(f"upscore{stride}").count_params()
    assert harness.count(model)[0] == parameters - fixed


def test_fcn_starts_at_zero_and_its_ups_are_bilinear():
    model = fcn(3, backbone=encoder())
    assert not harness.outputs(model, harness.picture(33, 33))[0].any()
    (kernel,) = model.get_layer("upscore_pool3").get_weights()
    np.testing.assert_allclose(kernel[:, :, 0, 0].sum(), 4, rtol=1e-6)
    assert not kernel[:, :, 0, 1].any()


def test_fcn_scores_features_as_they_are():
    """Authors' "at once" networks scale them by 0.01 and 0.0001; by default nothing does."""
    names = [type(layer).__name__ for layer in fcn(3, backbone=encoder()).layers]
    assert "Rescaling" not in names


def test_fcn_head_equals_numpy():
    """Two hidden layers with ReLU, scores of three features, the coarser doubled and added."""
    model = fcn(3, backbone=encoder(), skip_scales=(0.5, 0.25))
    weights = harness.randomize(model)
    x = harness.picture(64, 96)
    *_, at8, at16, at32 = harness.outputs(model.get_layer("small_encoder"), x)

    def convolve(x, name):
        return references.convolve(x, weights[f"{name}/kernel"], weights[f"{name}/bias"])

    def double(x, name):
        up = model.get_layer(f"upscore_{name}")
        return ops.convert_to_numpy(up(x.astype("float32")))

    y = references.relu(convolve(references.relu(convolve(at32, "fc6")), "fc7"))
    y = convolve(y, "score_fc7")
    y = double(y, "pool4") + convolve(0.5 * at16, "score_pool4")
    y = double(y, "pool3") + convolve(0.25 * at8, "score_pool3")
    expected = references.resize(y, 64, 96)
    (logits,) = harness.outputs(model, x)
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_fcn_hidden_layers_start_as_he_says():
    model = fcn(3, backbone=small_encoder(width=8), fc_width=256)
    for name, fan_in in (("fc6", 9 * 64), ("fc7", 256)):
        kernel = ops.convert_to_numpy(model.get_layer(name).kernel)
        assert kernel.std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.05)


def test_fcn_up_sampling_equals_a_resize_inside():
    transposed, resized = (
        fcn(3, stride=16, backbone=encoder(), up=up) for up in ("transposed", "bilinear")
    )
    harness.shake(resized)
    weights = resized.get_weights()
    transposed.set_weights([*weights, *transposed.get_layer("upscore16").get_weights()])
    x = harness.picture(96, 96)
    inside = np.s_[:, 8:-8, 8:-8]
    pair = [harness.outputs(model, x)[0][inside] for model in (transposed, resized)]
    np.testing.assert_allclose(*pair, rtol=1e-3, atol=1e-4)


def test_fcn_scales_the_features_that_it_skips():
    """Scaled features score as plain ones do with scaled kernels."""
    scaled, plain = (
        harness.shake(fcn(3, backbone=encoder(), skip_scales=scales), 0.3)
        for scales in ((0.5, 0.25), (1.0, 1.0))
    )
    plain.set_weights(scaled.get_weights())
    for name, scale in (("pool4", 0.5), ("pool3", 0.25)):
        kernel = plain.get_layer(f"score_{name}").kernel
        kernel.assign(kernel * scale)
    x = harness.picture(64, 96)
    np.testing.assert_allclose(*(harness.outputs(m, x)[0] for m in (scaled, plain)), atol=1e-4)


def test_encoders_that_round_sizes_down_fit_too():
    """As MobileNetV2 and DenseNet do: 63 pixels become 31, 15, 7, 3 and 1."""
    image = x = keras.Input((None, None, 3))
    features = []
    for _ in range(5):
        x = layers.MaxPooling2D(2)(layers.Conv2D(4, 3, padding="same")(x))
        features.append(x)
    harness.check_sizes(fcn(3, backbone=keras.Model(image, features)), ((63, 127), (65, 33)))


@pytest.mark.parametrize(
    ("channels", "classes", "arguments", "parameters"),
    [
        (1, 2, {}, 31_030_658),
        (1, 2, {"padding": "valid"}, 31_030_658),
        (3, 21, {}, 31_033_045),
        (3, 21, {"up": "bilinear"}, 31_033_045),
        # Published for one output channel, which 64 weights and a bias tell from two.
        (3, 2, {}, 31_031_745 + 65),
        (3, 2, {"batch_norm": True}, 31_037_633 + 65),
    ],
)
def test_unet_has_the_parameters_of_the_paper(channels, classes, arguments, parameters, zeros):
    model = unet(classes, input_shape=(None, None, channels), **arguments)
    assert harness.count(model)[0] == parameters


@pytest.mark.parametrize(("size", "expected"), [(572, 388), (188, 4), (700, 516)])
def test_valid_unet_has_the_sizes_of_the_paper(size, expected):
    model = unet(2, input_shape=(size, size, 1), width=1, padding="valid")
    assert unet_output_size(size) == expected
    assert model.output_shape == (None, expected, expected, 2)


def test_valid_unet_crops_its_skips_to_the_same_place():
    """Moving the picture by 2**depth moves the logits with it."""
    model = harness.shake(unet(2, width=2, depth=2, padding="valid"), 0.3)
    x = harness.picture(96, 96, batch=1)
    first, second = (harness.outputs(model, p)[0] for p in (x[:, :92, :92], x[:, 4:, 4:]))
    np.testing.assert_allclose(first[:, 4:, 4:], second[:, :-4, :-4], rtol=1e-3, atol=1e-4)


def test_valid_unet_is_the_padded_one_where_padding_does_not_reach():
    """With one pooling; its skips are cropped in the centre, and so are the logits."""
    valid, padded = (unet(2, width=2, depth=1, padding=padding) for padding in ("valid", "same"))
    padded.set_weights(harness.shake(valid, 0.3).get_weights())
    x = harness.picture(64, 64)
    (inside,), (all_of_it,) = (harness.outputs(model, x) for model in (valid, padded))
    assert inside.shape[1:3] == (48, 48)
    np.testing.assert_allclose(inside, all_of_it[:, 8:-8, 8:-8], rtol=1e-3, atol=1e-4)


def test_segnet_has_the_parameters_of_the_paper(zeros):
    model = segnet(11)
    trainable, every = harness.count(model)
    scale_and_shift = sum(
        int(np.prod(w.shape)) for w in model.trainable_variables if "_bn/" in w.path
    )
    assert trainable - scale_and_shift == 29_433_483
    assert (trainable, every) == (29_449_355, 29_465_227)


def test_segnet_starts_from_vgg16(zeros, monkeypatch):
    def pretrained(input_shape, *, weights):
        assert (input_shape, weights) == ((None, None, 3), "imagenet")
        return theirs

    theirs = harness.shake(vgg16())
    monkeypatch.setattr(sys.modules[segnet.__module__], "vgg16", pretrained)
    model = segnet(3, weights="imagenet")
    kernels, expected = (
        [layer.get_weights() for layer in net.layers if isinstance(layer, layers.Conv2D)]
        for net in (model, theirs)
    )
    for pair in zip(kernels[:13], expected, strict=True):
        for weight, value in zip(*pair, strict=True):
            np.testing.assert_array_equal(weight, value)
    # Its first features are VGG-16's, so pictures are prepared alike.
    ours = keras.Model(model.input, model.get_layer("encoder1_conv1").output)
    theirs = keras.Model(theirs.input, theirs.get_layer("block1_conv1").output)
    x = harness.picture(32, 32)
    np.testing.assert_allclose(*(harness.outputs(m, x)[0] for m in (ours, theirs)), rtol=1e-5)


def authors_deeplab_v1(image):
    """DeepLab-LargeFOV as the authors' prototxt reads, in plain Keras."""
    x = keras.applications.vgg16.preprocess_input(255 * image)
    for depth, filters, stride, dilation in (
        (2, 64, 2, 1),
        (2, 128, 2, 1),
        (3, 256, 2, 1),
        (3, 512, 1, 1),
        (3, 512, 1, 2),
    ):
        for _ in range(depth):
            x = layers.Conv2D(
                filters, 3, padding="same", dilation_rate=dilation, activation="relu"
            )(x)
        x = layers.MaxPooling2D(3, stride, padding="same")(x)
    x = layers.AveragePooling2D(3, 1, padding="same")(x)
    x = layers.Conv2D(1024, 3, padding="same", dilation_rate=12, activation="relu")(x)
    x = layers.Conv2D(1024, 1, activation="relu")(x)
    return layers.Conv2D(21, 1)(x)


def test_deeplab_v1_is_the_authors_network(zeros):
    model = harness.shake(deeplab_v1(21), 0.02)
    assert model.count_params() == 20_505_429
    image = keras.Input((None, None, 3))
    theirs = keras.Model(image, authors_deeplab_v1(image))
    theirs.set_weights(model.get_weights())
    ours = keras.Model(model.input, model.get_layer("field_score_1").output)
    x = harness.picture(65, 33)
    (expected,) = harness.outputs(theirs, x)
    np.testing.assert_allclose(*harness.outputs(ours, x), expected, atol=1e-3 * np.ptp(expected))


def test_deeplab_v1_by_name_is_its_backbone_and_an_average(zeros):
    backbone = vgg16(output_stride=8, pool_size=3)
    named, built = deeplab_v1(3), deeplab_v1(3, backbone, average_pool=True)
    for model in (named, built):
        assert "pool5a" in [layer.name for layer in model.layers]
    same = [[layer.get_config() for layer in harness.flat_layers(m)] for m in (named, built)]
    for configs in same:
        configs[1].pop("name")  # the encoder's input is numbered
    assert same[0] == same[1]
    assert "pool5a" not in [layer.name for layer in deeplab_v1(3, backbone).layers]


def resnet_features(output_stride):
    """An encoder with the channels of a ResNet and next to no weights, for the heads on it."""
    image = keras.Input((None, None, 3))
    features = []
    for channels, stride in zip((64, 256, 512, 1024, 2048), (2, 4, 8, 16, 32), strict=True):
        stride = min(stride, output_stride)
        x = layers.AveragePooling2D(stride, padding="same")(image)
        features.append(layers.Conv2D(channels, 1, use_bias=False, name=f"at{len(features)}")(x))
    return keras.Model(image, features, name="backbone")


def conv(size, channels, filters):
    """Parameters of a convolution and its batch normalisation."""
    return size * size * channels * filters + 2 * filters


def separable(channels, filters):
    return 9 * channels + 2 * channels + conv(1, channels, filters)


def score(channels, size=1):
    return (size * size * channels + 1) * 21


ATTENTION = 328_321  # of position or criss-cross attention with 512 channels
ASPP = 15_535_104  # torchvision's
# What each paper puts on a ResNet, for 21 classes.
HEADS = {
    "deeplab_v2": (deeplab_v2, 8, 4 * score(2048, 3)),
    "deeplab_v3": (deeplab_v3, 16, ASPP + conv(3, 256, 256) + score(256)),
    "deeplab_v3plus": (
        deeplab_v3plus,
        16,
        2 * conv(1, 2048, 256)  # the 1x1 branch and image pooling
        + 3 * separable(2048, 256)
        + conv(1, 5 * 256, 256)
        + conv(1, 256, 48)
        + separable(256 + 48, 256)
        + separable(256, 256)
        + score(256),
    ),
    "pspnet": (pspnet, 8, 4 * conv(1, 2048, 512) + conv(3, 4096, 512) + score(512)),
    "danet": (
        danet,
        8,
        2 * (conv(3, 2048, 512) + conv(3, 512, 512)) + ATTENTION + 1 + score(512),
    ),
    "ccnet": (
        ccnet,
        8,
        conv(3, 2048, 512) + ATTENTION + conv(3, 512, 512) + conv(3, 2560, 512) + score(512),
    ),
    "ocrnet": (
        ocrnet,
        8,
        conv(3, 1024, 512)  # the regions
        + score(512)
        + conv(3, 2048, 512)
        + 2 * (conv(1, 512, 256) + conv(1, 256, 256))  # queries and keys
        + conv(1, 512, 256)
        + conv(1, 256, 512)
        + conv(1, 1024, 512)
        + score(512),
    ),
    "fcn_resnet": (fcn_resnet, 8, conv(3, 2048, 512) + score(512)),
}


@pytest.mark.parametrize("name", HEADS)
def test_heads_have_the_size_of_their_papers(name, zeros):
    build, output_stride, parameters = HEADS[name]
    backbone = resnet_features(output_stride)
    model = build(21, backbone)
    assert harness.count(model)[0] - harness.count(backbone)[0] == parameters


# Encoder, output stride and more that each paper or, for fcn_resnet, torchvision has.
@pytest.mark.parametrize(
    ("build", "name", "options"),
    [
        (fcn, "vgg16", {"output_stride": 32}),
        (fcn_resnet, "resnet50_v1_5", {"output_stride": 8}),
        (deeplab_v1, "vgg16", {"output_stride": 8, "pool_size": 3}),
        (deeplab_v2, "resnet101", {"output_stride": 8}),
        (deeplab_v3, "resnet50", {"output_stride": 16, "multi_grid": (1, 2, 4)}),
        (deeplab_v3plus, "xception", {"output_stride": 16}),
        (pspnet, "resnet50", {"output_stride": 8}),
        (danet, "resnet101", {"output_stride": 8, "multi_grid": (1, 2, 4)}),
        (ccnet, "resnet101", {"output_stride": 8}),
        (ocrnet, "resnet101", {"output_stride": 8}),
    ],
)
def test_the_encoder_by_default(build, name, options, monkeypatch):
    def get_backbone(backbone, input_shape, *, weights, **options):
        assert (input_shape, weights) == ((None, None, 3), None)
        raise StopIteration(backbone, options)

    monkeypatch.setattr(sys.modules[build.__module__], "get_backbone", get_backbone)
    with pytest.raises(StopIteration) as asked:
        build(3)
    assert asked.value.args == (name, options)


@pytest.mark.parametrize(
    ("build", "layer", "rates"),
    [
        (lambda: deeplab_v1(3, encoder(8), width=4), "field_fc6_{}", [12]),
        (lambda: deeplab_v2(3, encoder(8)), "aspp_score_{}", [6, 12, 18, 24]),
        (lambda: deeplab_v2(3, encoder(8), hidden=4), "aspp_fc6_{}", [6, 12, 18, 24]),
        (lambda: deeplab_v3(3, encoder(16), width=4), "aspp_{}", [6, 12, 18]),
        (lambda: deeplab_v3(3, encoder(8), output_stride=8, width=4), "aspp_{}", [12, 24, 36]),
        (lambda: deeplab_v3plus(3, encoder(16), width=4), "aspp_{}_depthwise", [6, 12, 18]),
        (
            lambda: deeplab_v3plus(3, encoder(8), output_stride=8, width=4),
            "aspp_{}_depthwise",
            [12, 24, 36],
        ),
    ],
)
def test_atrous_rates_by_default(build, layer, rates):
    model = build()
    found = [model.get_layer(layer.format(i + 1)).dilation_rate for i in range(len(rates))]
    assert found == [(rate, rate) for rate in rates]


def test_pspnet_has_the_bins_of_the_paper():
    model = pspnet(3, encoder(8), width=4)
    bins = [layer.bins for layer in model.layers if hasattr(layer, "bins")]
    assert bins == [1, 2, 3, 6]


def without_biases(model, leave_out="no such weight"):
    """Count what torchvision's ResNet has: no bias before batch norm."""
    return sum(
        int(np.prod(w.shape))
        for w in model.trainable_variables
        if leave_out not in w.path
        and not (w.path.endswith("conv/bias") and w.path.split("/")[-2].startswith("conv"))
    )


def test_deeplab_v3_has_the_weights_of_torchvision_and_the_grid_of_the_paper(zeros):
    model = deeplab_v3(21, auxiliary=True)
    assert without_biases(model) == 42_004_074
    assert without_biases(model, leave_out="auxiliary") == 39_638_869
    last = [model.get_layer("resnet50").get_layer(f"conv5_block{i}_2_conv") for i in (1, 2, 3)]
    assert [layer.dilation_rate for layer in last] == [(2, 2), (4, 4), (8, 8)]


@pytest.mark.slow
def test_deeplab_v3_with_resnet101_has_the_parameters_of_torchvision(zeros):
    model = deeplab_v3(21, "resnet101", output_stride=8, multi_grid=(1, 1, 1), auxiliary=True)
    assert without_biases(model) == 60_996_202


@pytest.mark.parametrize("build", [deeplab_v3, danet])
@pytest.mark.parametrize(
    ("backbone", "arguments", "expected"),
    [
        ("resnet50", {}, (1, 2, 4)),
        ("resnet101", {}, (1, 2, 4)),
        ("resnet101", {"multi_grid": (1, 1, 1)}, (1, 1, 1)),
        ("xception", {}, None),
    ],
)
def test_a_resnet_by_name_has_a_multi_grid(build, backbone, arguments, expected, monkeypatch):
    def get_backbone(name, input_shape, **options):
        raise StopIteration(options.get("multi_grid"))

    monkeypatch.setattr(sys.modules[build.__module__], "get_backbone", get_backbone)
    with pytest.raises(StopIteration) as asked:
        build(3, backbone, **arguments)
    assert asked.value.value == expected


def test_auxiliary_heads_have_the_parameters_of_torchvision_fcn(zeros):
    def head(channels):
        x = keras.Input((None, None, channels))
        return harness.count(keras.Model(x, auxiliary_head(x, 21)))[0]

    assert without_biases(resnet50()) + head(2048) + head(1024) == 35_322_218


def moved(model, part):
    """Tell which outputs move with the weights whose path has this part."""
    x = harness.picture(33, 33)
    before = harness.outputs(harness.shake(model), x)
    weights = [weight for weight in model.trainable_variables if part in weight.path]
    assert weights
    for weight in weights:
        weight.assign(1.1 * weight)
    after = harness.outputs(model, x)
    for weight in weights:
        weight.assign(weight / 1.1)
    return [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]


@pytest.mark.parametrize(
    ("build", "stride", "width", "drop"),
    [
        # torchvision has a quarter of the features, PSPNet 256 of 1024, CCNet and OCRNet 512.
        (deeplab_v3, 16, 8, layers.Dropout),
        (pspnet, 8, 8, layers.Dropout),
        (ccnet, 8, 24, layers.SpatialDropout2D),
        (ocrnet, 8, 24, layers.SpatialDropout2D),
    ],
)
def test_auxiliary_logits_come_from_the_stage_before_the_last(build, stride, width, drop):
    model = build(3, encoder(stride), width=24, auxiliary=True)
    assert [output.shape for output in model.outputs] == 2 * [(None, None, None, 3)]
    assert model.get_layer("auxiliary_head").filters == width
    assert type(model.get_layer("auxiliary_dropout")) is drop
    assert moved(model, "block5_") == [True, False]
    assert moved(model, "block4_") == [True, True]
    assert moved(model, "auxiliary") == [build is ocrnet, True]


def test_danet_gives_both_then_position_then_channel():
    model = TINY["danet"]()
    assert moved(model, "position_") == [True, True, False]
    assert moved(model, "channel_") == [True, False, True]
    assert model.output_names == ["logits", "position_logits", "channel_logits"]


def test_danet_scores_the_sum_of_its_branches():
    model = danet(3, encoder(8), width=8)
    weights = harness.randomize(model)
    names = ("position_out_relu", "channel_out_relu", "logits_score")
    parts = keras.Model(model.input, [model.get_layer(name).output for name in names])
    position, channel, scores = harness.outputs(parts, harness.picture(64, 64))
    kernel, bias = weights["logits_score/kernel"], weights["logits_score/bias"]
    expected = references.convolve(position + channel, kernel, bias)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("build", [danet, ccnet, ocrnet])
def test_attention_models_drop_whole_channels(build):
    names = [type(layer).__name__ for layer in build(3, encoder(8), width=8).layers]
    assert "SpatialDropout2D" in names
    assert "Dropout" not in names


def test_deeplab_v3plus_adds_features_at_stride_4():
    model = deeplab_v3plus(3, encoder(16), width=8, low_width=4)
    low = keras.Model(model.input, model.get_layer("low").output)
    assert tuple(low(harness.picture(64, 96)).shape) == (2, 16, 24, 4)
    assert moved(low, "block3_") == [False]
    assert moved(low, "block2_") == [True]


def test_a_fine_step_of_deeplab_v3plus_adds_features_at_stride_2():
    model = deeplab_v3plus(3, encoder(16), width=8, low_width=4, fine_width=6)
    shapes = model.get_layer("fine_concat").input
    assert [x.shape[-1] for x in shapes] == [6, encoder(16).output_shape[0][-1]]
    fine = keras.Model(model.input, model.get_layer("fine_concat").output)
    assert fine.compute_output_shape((1, 64, 96, 3))[1:3] == (32, 48)


def test_atrous_rates_follow_the_output_stride():
    assert atrous_rates(16) == (6, 12, 18)
    assert atrous_rates(8) == (12, 24, 36)


@pytest.mark.parametrize(
    ("gamma", "options", "reaches"),
    [(0.0, {}, False), (1.0, {}, True), (1.0, {"recurrence": 1}, False)],
)
def test_ccnet_sees_the_far_corner_once_it_attends_twice(gamma, options, reaches):
    """At its start gamma is zero; one cross does not reach the other end of the diagonal."""
    model = ccnet(3, encoder(8), width=8, **options)
    assert ops.convert_to_numpy(model.get_layer("attention").gamma) == 0
    model.get_layer("attention").gamma.assign(gamma)
    near = harness.picture(256, 256, batch=1)
    far = near.copy()
    far[:, 224:, 224:] = 0
    before, after = (harness.outputs(model, x)[0][:, :32, :32] for x in (near, far))
    assert np.array_equal(before, after) != reaches


@pytest.mark.parametrize(
    ("build", "arguments", "message"),
    [
        (fcn, {"stride": 4}, "stride=4 must be 32, 16 or 8"),
        (fcn, {"backbone": "vgg61"}, "backbone='vgg61' is unknown"),
        (fcn, {"up": "nearest"}, "up='nearest' must be"),
        (fcn, {"input_shape": (16, 64, 3)}, "this model needs pictures of at least 32x32"),
        (fcn, {"input_shape": (64, 64)}, r"must be \(height, width, channels\)"),
        (fcn, {"input_shape": (None, None, 1), "weights": "imagenet"}, "has 1 channels"),
        (unet, {"padding": "full"}, "padding='full' must be 'same' or 'valid'"),
        (unet, {"up": "nearest"}, "up='nearest' must be 'transposed' or 'bilinear'"),
        (unet, {"depth": 0}, "depth=0 must be 1 or more"),
        (unet, {"input_shape": (8, 8, 3)}, "pictures of at least 16x16"),
        (
            unet,
            {"padding": "valid", "input_shape": (512, 512, 3)},
            "size=512 does not fit .*: 524 is the next size that fits",
        ),
        (segnet, {"depths": (2, 0)}, r"depths=\(2, 0\) must be numbers of convolutions"),
        (segnet, {"input_shape": (16, 16, 3)}, "pictures of at least 32x32"),
        (
            segnet,
            {"weights": "imagenet", "width": 16},
            r"weights='imagenet' need width=64 and depths=\(2, 2, 3, 3, 3\), not width=16",
        ),
        (
            segnet,
            {"weights": "imagenet", "input_shape": (None, None, 1)},
            "has 1 channels, but the weights",
        ),
        (deeplab_v1, {"rate": 0}, r"rates=\(0,\) must be positive integers"),
        (deeplab_v2, {"rates": ()}, r"rates=\(\) must be positive integers"),
        (deeplab_v3, {"output_stride": 32}, "output_stride=32 must be 16 or 8"),
        (deeplab_v3, {"backbone": "densenet121"}, "output_stride=16 of densenet121 must be"),
        (
            deeplab_v3,
            {"backbone": encoder(8), "output_stride": 16},
            "was built with 8. Build it with output_stride=16",
        ),
        (
            deeplab_v3,
            {"backbone": encoder(16), "multi_grid": (1, 2, 4)},
            r"multi_grid=\(1, 2, 4\) is for a ResNet by name, such as backbone='resnet50'",
        ),
        (deeplab_v3, {"backbone": encoder(16), "rates": (0,)}, r"rates=\(0,\) must be positive"),
        (deeplab_v3plus, {"output_stride": 4}, "output_stride=4 must be 16 or 8"),
        (pspnet, {"bins": ()}, r"bins=\(\) must be positive integers"),
        (danet, {"backbone": encoder(8), "width": 4}, "reduction=8 must be at most"),
        (
            danet,
            {"backbone": encoder(8), "multi_grid": (1, 2, 4)},
            r"multi_grid=\(1, 2, 4\) is for a ResNet by name, such as backbone='resnet50'",
        ),
        (ccnet, {"recurrence": 0}, "recurrence=0 must be 1 or more"),
        (ocrnet, {"output_stride": 4}, "output_stride=4 of resnet101 must be one of"),
        *(
            (build, {"num_classes": -1}, "num_classes=-1 must be 1 or more")
            for build in (fcn, unet, segnet, deeplab_v1, deeplab_v2, deeplab_v3)
        ),
        *(
            (build, {"num_classes": 0}, "num_classes=0 must be 1 or more")
            for build in (deeplab_v3plus, pspnet, danet, ccnet, ocrnet)
        ),
    ],
)
def test_models_name_the_argument_they_refuse(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**{"num_classes": 3, **arguments})


@pytest.mark.parametrize("name", [name for name in models.__all__ if name != "unet_output_size"])
def test_models_refuse_channels_first(name):
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="image_data_format='channels_first' must be"):
            getattr(models, name)(3)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_a_picture_of_fixed_size_works():
    model = fcn(3, backbone=small_encoder((48, 64, 3), width=4), input_shape=(48, 64, 3))
    assert model.output_shape == (None, 48, 64, 3)
