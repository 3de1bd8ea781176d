"""U-Net's parts, and U-Net on an encoder."""

import harness
import keras
import numpy as np
import pytest
from keras import layers, ops

from segbook import backbones
from segbook.models.unet import unet


def on_small(**arguments):
    encoder = backbones.small_encoder(arguments.get("input_shape", (None, None, 3)), width=2)
    return unet(3, encoder=encoder, **{"width": 2, **arguments})


def test_the_deepest_skip_and_the_bottom_are_dropped_while_training():
    model = unet(2, width=4, depth=2, dropout=0.75)
    inside = [model.get_layer("up2_concat").input[0], model.get_layer("up2_transposed").input]
    inside.append(model.get_layer("up1_concat").input[0])
    parts = keras.Model(model.input, inside)
    x = harness.picture(64, 64, batch=1)

    def zeros(training):
        return [float(np.mean(ops.convert_to_numpy(y) == 0)) for y in parts(x, training=training)]

    (skip, bottom, first), trained = zeros(False), zeros(True)
    for before, after in zip((skip, bottom), trained, strict=False):
        assert after == pytest.approx(1 - 0.25 * (1 - before), abs=0.05)
    assert trained[2] == first


def test_convolutions_start_as_he():
    for layer in unet(2, width=16, depth=1).layers:
        if type(layer) is layers.Conv2D and layer.kernel.shape[-2] >= 16 and layer.name != "logits":
            kernel = ops.convert_to_numpy(layer.kernel)
            expected = np.sqrt(2 / np.prod(kernel.shape[:3]))
            assert kernel.std() == pytest.approx(expected, rel=0.06), layer.name


@pytest.mark.parametrize("up", ["transposed", "bilinear"])
def test_logits_have_the_size_of_the_picture(up):
    model = on_small(up=up)
    harness.check_sizes(model, [(32, 64), (65, 97), (33, 47)])
    assert on_small(up=up, input_shape=(65, 97, 3)).output_shape == (None, 65, 97, 3)


@pytest.mark.parametrize("name", ["mobilenet_v2", "xception", "densenet121", "efficientnet_b0"])
@pytest.mark.slow
def test_encoders_that_round_down_fit(name):
    harness.check_sizes(unet(3, encoder=name, width=2), [(64, 96), (65, 97), (94, 63)])


def test_the_finest_level_on_an_encoder_has_16_channels():
    model = unet(3, encoder=backbones.small_encoder(width=2))
    widths = [model.get_layer(f"up{level}_conv2").filters for level in (1, 2, 3, 4, 5)]
    assert widths == [16, 32, 64, 128, 256]


def test_all_five_features_are_used_once():
    model = on_small()
    joined = {
        level: model.get_layer(f"up{level}_concat").input[0].shape[-1] for level in (2, 3, 4, 5)
    }
    assert joined == {2: 2, 3: 4, 4: 8, 5: 16}
    assert "up1_concat" not in [layer.name for layer in model.layers]
    harness.check_gradients(model)


@pytest.mark.slow
def test_on_a_pretrained_encoder():
    model = unet(21, encoder="efficientnet_lite0", weights="imagenet", batch_norm=True)
    assert model.count_params() == 5_398_773
    encoder = model.get_layer("efficientnet_lite0")
    expected = backbones.efficientnet_lite0(weights="imagenet").get_weights()
    for weight, value in zip(encoder.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, value)
    (logits,) = harness.outputs(model, harness.picture(47, 65, batch=1))
    assert logits.shape == (1, 47, 65, 21)


def test_it_saves_and_keeps_float32(tmp_path):
    harness.check_round_trip(on_small(), tmp_path)
    harness.check_mixed_precision(on_small)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"encoder": "vgg16", "padding": "valid"}, "padding='valid' and depth=None must be 'same'"),
        ({"encoder": "vgg16", "depth": 3}, "depth=3 must be 'same' and None with an encoder"),
        ({"weights": "imagenet"}, "weights='imagenet' must be None without an encoder"),
        ({"encoder": "vgg"}, "backbone='vgg' is unknown"),
        ({"depth": 0}, "depth=0 must be 1 or more"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        unet(3, **arguments)


def test_dilated_encoders_are_refused():
    with pytest.raises(ValueError, match=r"output_stride=32, but .* was built with 8"):
        unet(3, encoder=backbones.small_encoder(width=2, output_stride=8))
