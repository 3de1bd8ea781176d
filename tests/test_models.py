"""Every model: shapes, saving, precision, gradients, learning, parameters, errors."""

import csv
from pathlib import Path

import harness
import keras
import numpy as np
import pytest
from backends import compilers
from keras import ops

from segbook.backbones import resnet50, small_encoder
from segbook.models import ccnet, danet, ocrnet
from segbook.models.deeplab import (
    atrous_rates,
    deeplab_v1,
    deeplab_v2,
    deeplab_v3,
    deeplab_v3plus,
)
from segbook.models.fcn import fcn
from segbook.models.parts import auxiliary_head
from segbook.models.pspnet import pspnet
from segbook.models.segnet import segnet
from segbook.models.table import models_table
from segbook.models.torchvision import torchvision_name
from segbook.models.unet import unet, unet_output_size


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


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
    "pspnet": lambda: pspnet(3, encoder(8), output_stride=8, bins=(1, 2), width=8, dropout=0.0),
    "danet": lambda: danet(3, encoder(8), width=8, auxiliary=True, dropout=0.0),
    "ccnet": lambda: ccnet(3, encoder(8), width=8, dropout=0.0),
    "ocrnet": lambda: ocrnet(3, encoder(8), width=8, key_channels=4, dropout=0.0),
}
tiny = pytest.mark.parametrize("build", TINY.values(), ids=TINY.keys())


@tiny
def test_logits_have_the_size_of_the_picture(build):
    harness.check_sizes(build(), (*harness.SIZES, (512, 384)))


@tiny
def test_saves_without_custom_objects(build, tmp_path):
    harness.check_round_trip(build(), tmp_path)


@tiny
def test_mixed_precision_gives_float32_logits(build):
    harness.check_mixed_precision(build)


@tiny
def test_gradient_reaches_every_weight(build):
    # Batch norm takes away SegNet's biases, a softmax over keys what is added to all of them.
    harness.check_gradients(build(), still=("coder1_conv1/bias", "key/bias"))


@tiny
def test_two_steps_lower_the_loss(build):
    harness.check_learns(build())


@pytest.mark.parametrize("name", ["unet", "segnet", "deeplab_v3plus", "ccnet", "ocrnet"])
@pytest.mark.parametrize("way", compilers().values(), ids=compilers().keys())
def test_models_compile(name, way):
    model = harness.shake(TINY[name]())
    x = ops.convert_to_tensor(harness.picture(33, 40))
    compiled = keras.tree.flatten(way(lambda x: model(x, training=False))(x))
    for before, after in zip(harness.outputs(model, x), compiled, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(after), before, rtol=1e-3, atol=1e-4)


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
}


@pytest.mark.parametrize("build", LAPTOP.values(), ids=LAPTOP.keys())
def test_models_for_a_laptop_have_less_than_a_million_parameters(build):
    assert 400_000 < build(9).count_params() < 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stride", "parameters"), [(32, 136_152_917), (16, 134_815_994), (8, 134_489_759)]
)
def test_fcn_has_the_parameters_of_the_paper(stride, parameters):
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


@pytest.mark.parametrize("name", ["mobilenet_v2", "xception"])
def test_encoders_that_round_sizes_down_fit_too(name):
    harness.check_sizes(fcn(3, backbone=name, fc_width=8))


@pytest.mark.slow
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
def test_unet_has_the_parameters_of_the_paper(channels, classes, arguments, parameters):
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


@pytest.mark.slow
def test_segnet_has_the_parameters_of_the_paper():
    model = segnet(11)
    trainable, every = harness.count(model)
    scale_and_shift = sum(
        int(np.prod(w.shape)) for w in model.trainable_variables if "_bn/" in w.path
    )
    assert trainable - scale_and_shift == 29_433_483
    assert (trainable, every) == (29_449_355, 29_465_227)


@pytest.mark.slow
def test_deeplab_v1_has_the_parameters_of_the_paper():
    assert deeplab_v1(21).count_params() == 20_505_429


def without_biases(model):
    """Count what torchvision's ResNet has: no bias before batch norm."""
    return sum(
        int(np.prod(w.shape))
        for w in model.trainable_variables
        if not (w.path.endswith("conv/bias") and w.path.split("/")[-2].startswith("conv"))
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "auxiliary", "parameters"),
    [
        ("resnet50", False, 39_638_869),
        ("resnet50", True, 42_004_074),
        ("resnet101", True, 60_996_202),
    ],
)
def test_deeplab_v3_has_the_parameters_of_torchvision(backbone, auxiliary, parameters):
    model = deeplab_v3(21, backbone, output_stride=8, multi_grid=(1, 1, 1), auxiliary=auxiliary)
    assert without_biases(model) == parameters
    if (backbone, auxiliary) == ("resnet50", True):
        check_torchvision_names(model)


def check_torchvision_names(model):
    """Renamed and transposed, our weights have exactly torchvision's names and shapes."""
    table = Path(__file__).parent / "data" / "torchvision_deeplabv3_resnet50.csv"
    with table.open() as file:
        theirs = {row["name"]: row["shape"] for row in csv.DictReader(file)}
    ours = {}
    for weight in model.weights:
        name = torchvision_name(weight.path)
        shape = weight.shape
        if len(shape) == 4:
            shape = [shape[axis] for axis in (3, 2, 0, 1)]
        if name is not None:
            assert name not in ours
            ours[name] = "x".join(str(size) for size in shape)
    assert ours == theirs


def test_a_weight_unknown_to_torchvision_is_refused():
    with pytest.raises(ValueError, match="path='fc6/kernel' is no weight of a DeepLab v3"):
        torchvision_name("fc6/kernel")


@pytest.mark.slow
def test_auxiliary_heads_have_the_parameters_of_torchvision_fcn():
    def head(channels):
        x = keras.Input((None, None, channels))
        return harness.count(keras.Model(x, auxiliary_head(x, 21)))[0]

    assert without_biases(resnet50()) + head(2048) + head(1024) == 35_322_218


def test_atrous_rates_follow_the_output_stride():
    assert atrous_rates(16) == (6, 12, 18)
    assert atrous_rates(8) == (12, 24, 36)
    for stride in (16, 8):
        model = deeplab_v3(3, encoder(stride), output_stride=stride, width=8)
        rates = tuple(model.get_layer(f"aspp_{i}").dilation_rate[0] for i in (1, 2, 3))
        assert rates == atrous_rates(stride)


def test_attention_models_ignore_attention_at_their_start():
    """With gamma at zero, a picture's far corner does not reach the logits."""
    model = ccnet(3, encoder(8), width=8)
    near = harness.picture(256, 32, batch=1)
    far = near.copy()
    far[:, 224:] = 0
    before, after = (harness.outputs(model, x)[0][:, :32] for x in (near, far))
    np.testing.assert_array_equal(before, after)
    model.get_layer("attention").gamma.assign(1.0)
    after, before = (harness.outputs(model, x)[0][:, :32] for x in (near, far))
    assert np.abs(before - after).max() > 0


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
            r"multi_grid=\(1, 2, 4\) is for backbone='resnet50'",
        ),
        (deeplab_v3, {"backbone": encoder(16), "rates": (0,)}, r"rates=\(0,\) must be positive"),
        (deeplab_v3plus, {"output_stride": 4}, "output_stride=4 must be 16 or 8"),
        (pspnet, {"bins": ()}, r"bins=\(\) must be positive integers"),
        (danet, {"backbone": encoder(8), "width": 4}, "reduction=8 must be at most"),
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


def test_a_picture_of_fixed_size_works():
    model = fcn(3, backbone=small_encoder((48, 64, 3), width=4), input_shape=(48, 64, 3))
    assert model.output_shape == (None, 48, 64, 3)


@pytest.mark.slow
def test_the_table_of_the_readme_is_true():
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    if "<!-- models -->" not in readme:
        pytest.skip("README.md has no table of models yet")
    table = readme.split("<!-- models -->")[1].split("<!-- /models -->")[0]
    assert table.strip() == models_table()
