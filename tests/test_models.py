"""Every model: shapes, saving, precision, gradients, learning, parameters."""

import harness
import keras
import numpy as np
import pytest

from segbook import backbones
from segbook.models.fcn import fcn


def tiny_encoder():
    return backbones.small_encoder(width=4)


TINY = {
    "fcn32s": lambda: fcn(3, 32, tiny_encoder()),
    "fcn16s": lambda: fcn(3, 16, tiny_encoder()),
    "fcn8s": lambda: fcn(3, 8, tiny_encoder()),
    "fcn8s transposed": lambda: fcn(3, 8, tiny_encoder(), up="transposed"),
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
    harness.check_gradients(build())


@tiny
def test_two_steps_lower_the_loss(build):
    harness.check_learns(build())


@pytest.mark.parametrize(
    ("stride", "parameters"), [(32, 136_152_917), (16, 134_815_994), (8, 134_489_759)]
)
def test_fcn_has_the_parameters_of_the_paper(stride, parameters):
    model = fcn(21, stride)
    assert model.count_params() == parameters
    fixed = model.get_layer(f"upscore{stride}").count_params()
    assert harness.count(model)[0] == parameters - fixed


def test_fcn_of_a_laptop_is_small():
    for stride in (32, 16, 8):
        assert fcn(9, stride, backbones.small_encoder()).count_params() < 1_000_000


def test_fcn_starts_at_zero_and_its_ups_are_bilinear():
    model = fcn(3, 8, tiny_encoder())
    assert not harness.outputs(model, harness.picture(33, 33))[0].any()
    (kernel,) = model.get_layer("upscore_pool3").get_weights()
    np.testing.assert_allclose(kernel[:, :, 0, 0].sum(), 4, rtol=1e-6)
    assert not kernel[:, :, 0, 1].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stride": 4}, "stride=4 must be 32, 16 or 8"),
        ({"num_classes": 1}, "num_classes=1 must be 2 or more"),
        ({"backbone": "vgg61"}, "backbone='vgg61' is unknown"),
        ({"up": "nearest"}, "up='nearest' must be"),
        (
            {"input_shape": (16, 64, 3)},
            r"is too small: this model needs pictures of at least 32x32",
        ),
        ({"input_shape": (64, 64)}, r"must be \(height, width, channels\)"),
        ({"input_shape": (None, None, 1), "weights": "imagenet"}, "has 1 channels"),
    ],
)
def test_fcn_names_the_argument_it_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        fcn(**{"num_classes": 3, **arguments})


def test_a_picture_of_fixed_size_works():
    model = fcn(3, 8, backbones.small_encoder((48, 64, 3), width=4), input_shape=(48, 64, 3))
    assert model.output_shape == (None, 48, 64, 3)
    assert isinstance(model, keras.Model)
