"""torchvision's networks: names, shapes, padding, dilation, outputs, and files that do not fit."""

import csv
from pathlib import Path

import harness
import keras
import numpy as np
import pytest
from keras import ops
from numpy.lib.stride_tricks import sliding_window_view

import segbook.pretrained.torchvision
from segbook.backbones import BUILDERS, resnet50_v1_5, resnet_v1_5, small_encoder
from segbook.models import deeplab_v3, fcn_resnet
from segbook.pretrained.torchvision import load_torchvision, torchvision_modules

DEPTHS, WIDTH = (1, 1, 2, 2), 4
SIZES = ((64, 96), (65, 97), (62, 33))


def encoder(output_stride=32, depths=DEPTHS, **options):
    return resnet_v1_5(depths=depths, width=WIDTH, output_stride=output_stride, **options)


TINY = {
    "resnet": encoder,
    "fcn": lambda: fcn_resnet(5, encoder(8), auxiliary=True, dropout=0.0),
    "deeplab": lambda: deeplab_v3(
        5, encoder(8), output_stride=8, width=8, auxiliary=True, dropout=0.0
    ),
}


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


KINDS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def shapes(model):
    """Return torchvision's names and shapes of a model's weights."""
    found = {}
    for module, layer in torchvision_modules(model).items():
        for weight in layer.weights:
            h, w, i, o = weight.shape if weight.name == "kernel" else (None,) * 4
            shape = (o, i, h, w) if h else tuple(weight.shape)
            assert f"{module}.{KINDS[weight.name]}" not in found
            found[f"{module}.{KINDS[weight.name]}"] = shape
    return found


def tensors(model, seed=0):
    """Return random tensors under torchvision's names that fit a model."""
    rng = np.random.default_rng(seed)
    found = {name: rng.random(shape, "float32") for name, shape in shapes(model).items()}
    # Variances and scales are positive, others of both signs.
    return {k: x if "running_var" in k or "bn" in k else x - 0.5 for k, x in found.items()}


def table_of_deeplab():
    with (Path(__file__).parent / "data" / "torchvision_deeplabv3_resnet50.csv").open() as file:
        return {
            row["name"]: tuple(int(size) for size in row["shape"].split("x"))
            for row in csv.DictReader(file)
        }


def test_deeplab_v3_has_the_names_shapes_and_parameters_of_torchvision():
    model = deeplab_v3(21, "resnet50_v1_5", output_stride=8, multi_grid=(1, 1, 1), auxiliary=True)
    assert shapes(model) == table_of_deeplab()
    assert harness.count(model)[0] == 42_004_074


@pytest.mark.slow
def test_fcn_resnet_has_the_names_shapes_and_parameters_of_torchvision():
    theirs = {k: v for k, v in table_of_deeplab().items() if not k.startswith("classifier")}
    for name, shape in tuple(theirs.items()):
        if name.startswith("aux_classifier"):  # the same head on twice the channels
            theirs[name.removeprefix("aux_")] = tuple(
                2 * size if size in (256, 1024) else size for size in shape
            )
    model = fcn_resnet(21, auxiliary=True)
    assert shapes(model) == theirs
    assert harness.count(model)[0] == 35_322_218


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (lambda: resnet50_v1_5(), 25_557_032 - 2_049_000),
        (lambda: BUILDERS["resnet101_v1_5"](), 44_549_160 - 2_049_000),
        (lambda: deeplab_v3(21, "resnet101_v1_5", output_stride=8, auxiliary=True), 60_996_202),
        (lambda: fcn_resnet(21, "resnet101_v1_5", auxiliary=True), 54_314_346),
    ],
    ids=["resnet50", "resnet101", "deeplab", "fcn"],
)
def test_parameters_are_torchvisions_less_the_classifier(build, parameters):
    assert harness.count(build())[0] == parameters


# Our layer, torchvision's, for each kind of layer: "resnet" is in every model, with a prefix.
LAYERS = {
    "resnet": [
        ("stem", "conv1"),
        ("stem_bn", "bn1"),
        ("stage1_block1_conv1", "layer1.0.conv1"),
        ("stage1_block1_conv3_bn", "layer1.0.bn3"),
        ("stage4_block2_conv2", "layer4.1.conv2"),
        ("stage2_block1_shortcut", "layer2.0.downsample.0"),
        ("stage3_block1_shortcut_bn", "layer3.0.downsample.1"),
    ],
    "fcn": [
        ("head", "classifier.0"),
        ("head_bn", "classifier.1"),
        ("score", "classifier.4"),
        ("auxiliary_head", "aux_classifier.0"),
        ("auxiliary_head_bn", "aux_classifier.1"),
        ("auxiliary_score", "aux_classifier.4"),
    ],
    "deeplab": [
        ("aspp_0", "classifier.0.convs.0.0"),
        ("aspp_2", "classifier.0.convs.2.0"),
        ("aspp_3_bn", "classifier.0.convs.3.1"),
        ("aspp_pool_conv", "classifier.0.convs.4.1"),
        ("aspp_pool_conv_bn", "classifier.0.convs.4.2"),
        ("aspp_project", "classifier.0.project.0"),
        ("aspp_project_bn", "classifier.0.project.1"),
        ("head", "classifier.1"),
        ("head_bn", "classifier.2"),
        ("score", "classifier.4"),
        ("auxiliary_score", "aux_classifier.4"),
    ],
}


@pytest.mark.parametrize("kind", TINY)
def test_every_value_arrives_at_its_place(kind):
    model = TINY[kind]()
    source = tensors(model)
    load_torchvision(model, source)
    prefix = "" if kind == "resnet" else "backbone."
    layers = {layer.name: layer for layer in harness.flat_layers(model)}
    pairs = [(ours, prefix + theirs) for ours, theirs in LAYERS["resnet"]]
    for ours, theirs in pairs + (LAYERS[kind] if prefix else []):
        layer = layers[ours]
        if isinstance(layer, keras.layers.BatchNormalization):
            values = [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
            names = ("weight", "bias", "running_mean", "running_var")
            for value, name in zip(values, names, strict=True):
                np.testing.assert_array_equal(value, source[f"{theirs}.{name}"])
        else:
            kernel = ops.convert_to_numpy(layer.kernel)
            for h, w, i, o in np.ndindex(*kernel.shape[:2], 2, 3):
                assert kernel[h, w, i, o] == source[f"{theirs}.weight"][o, i, h, w]
            if layer.use_bias:
                np.testing.assert_array_equal(layer.bias, source[f"{theirs}.bias"])


class NumPyResNet:
    """A ResNet of one block a stage as loops read, from torchvision's tensors, in float64."""

    def __init__(self, tensors):
        self.tensors = tensors

    def features(self, image):
        """Return the features at strides 2, 4 and 8 of a picture `(h, w, 3)`."""
        x = (image - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        stem = np.maximum(self.norm(self.conv(x, "conv1", 2), "bn1"), 0)
        padded = np.pad(stem, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
        pooled = sliding_window_view(padded, (3, 3), axis=(0, 1)).max((-1, -2))[::2, ::2]
        first = self.bottleneck(pooled, "layer1.0", 1)
        return [stem, first, self.bottleneck(first, "layer2.0", 2)]

    def bottleneck(self, x, name, stride):
        y = x
        for i in (1, 2, 3):
            y = self.conv(y, f"{name}.conv{i}", stride if i == 2 else 1)
            y = self.norm(y, f"{name}.bn{i}")
            y = np.maximum(y, 0) if i < 3 else y
        shortcut = self.conv(x, f"{name}.downsample.0", stride)
        return np.maximum(y + self.norm(shortcut, f"{name}.downsample.1"), 0)

    def conv(self, x, name, stride):
        kernel = self.tensors[f"{name}.weight"].astype("float64")
        pad = (kernel.shape[-1] // 2,) * 2
        windows = sliding_window_view(np.pad(x, (pad, pad, (0, 0))), kernel.shape[2:], axis=(0, 1))
        return np.einsum("hwcij,ocij->hwo", windows[::stride, ::stride], kernel)

    def norm(self, x, name):
        names = ("weight", "bias", "running_mean", "running_var")
        scale, shift, mean, variance = (self.tensors[f"{name}.{kind}"] for kind in names)
        return (x - mean) / np.sqrt(variance.astype("float64") + 1e-5) * scale + shift


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_first_features_are_those_of_numpy(height, width):
    model = encoder()
    source = tensors(model)
    source["bn1.running_var"] *= 1e-3  # so that epsilon matters
    load_torchvision(model, source)
    image = harness.picture(height, width, batch=1)
    features = harness.outputs(model, image)[:3]
    for y, expected in zip(features, NumPyResNet(source).features(image[0]), strict=True):
        assert (expected > 0).mean() > 0.2
        np.testing.assert_allclose(y[0], expected, rtol=0, atol=1e-5 * expected.max())


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("output_stride", [16, 8])
def test_dilated_features_equal_the_strided_ones_up_to_the_border(output_stride, height, width):
    strided, dilated = harness.shake(encoder(), 0.1), encoder(output_stride)
    dilated.set_weights(strided.get_weights())
    x = harness.picture(height, width, batch=1)
    expected, dense = harness.outputs(strided, x), harness.outputs(dilated, x)
    for y, z, stride in zip(expected, dense, (2, 4, 8, 16, 32), strict=True):
        assert y.shape[1:3] == (-(-height // stride), -(-width // stride))
        step = max(stride // output_stride, 1)
        assert np.abs(y).max() > 0.1
        np.testing.assert_allclose(z[:, ::step, ::step], y, atol=1e-5 * np.abs(y).max())


def rates(model, stage, blocks):
    layers = [model.get_layer(f"stage{stage}_block{i + 1}_conv2") for i in range(blocks)]
    return [layer.dilation_rate[0] for layer in layers]


@pytest.mark.parametrize(
    ("output_stride", "multi_grid", "stage3", "stage4"),
    [
        (32, None, [1, 1], [1, 1, 1]),
        (16, None, [1, 1], [1, 2, 2]),
        (8, None, [1, 2], [2, 4, 4]),
        (16, (1, 2, 4), [1, 1], [1, 4, 8]),
        (8, (1, 2, 4), [1, 2], [2, 8, 16]),
    ],
)
def test_the_first_block_of_a_dilated_stage_keeps_the_dilation_before(
    output_stride, multi_grid, stage3, stage4
):
    model = encoder(output_stride, depths=(1, 1, 2, 3), multi_grid=multi_grid)
    assert (rates(model, 3, 2), rates(model, 4, 3)) == (stage3, stage4)


def test_the_stride_is_in_the_3x3_convolution():
    model = encoder()
    layers = [model.get_layer(f"stage3_block1_{name}") for name in ("conv1", "conv2", "shortcut")]
    assert [layer.strides[0] for layer in layers] == [1, 2, 2]
    assert not any(layer.use_bias for layer in layers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_stride": 4}, r"output_stride=4 of resnet50_v1_5 must be one of \(32, 16, 8\)"),
        ({"multi_grid": (1, 2)}, r"multi_grid=\(1, 2\) must be 3 factors, 1 or more"),
        ({"multi_grid": (1, 0, 1)}, r"multi_grid=\(1, 0, 1\) must be 3 factors, 1 or more"),
        ({"multi_grid": (2, 2, 4)}, r"with output_stride=32 must begin with 1"),
        ({"weights": "imagenet"}, r"weights='imagenet' of resnet50_v1_5 must be None or the path"),
        ({"input_shape": (None, None, 4), "weights": "file.pth"}, r"has 4 channels.*need 3"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        resnet50_v1_5(**arguments)


def test_fcn_resnet_keeps_the_house_rules(tmp_path):
    model = TINY["fcn"]()
    harness.check_sizes(model, [(65, 97)])
    harness.check_round_trip(model, tmp_path)
    harness.check_mixed_precision(TINY["fcn"])


def test_defaults_are_torchvisions():
    fcn = fcn_resnet(5, encoder(8), auxiliary=True)
    deeplab = deeplab_v3(5, encoder(8), output_stride=8, width=8, auxiliary=True)
    assert fcn.get_layer("head").filters == 32 * WIDTH // 4
    assert fcn.get_layer("head_dropout").rate == fcn.get_layer("auxiliary_dropout").rate == 0.1
    assert deeplab.get_layer("aspp_dropout").rate == 0.5
    for model in (fcn, deeplab):  # from the third stage
        kernel = model.get_layer("auxiliary_head").kernel
        assert tuple(kernel.shape) == (3, 3, 16 * WIDTH, 4 * WIDTH)
    with pytest.raises(ValueError, match="output_stride=8, but"):
        fcn_resnet(5, encoder(16))
    assert len(fcn_resnet(5, encoder(8)).outputs) == 1


@pytest.mark.parametrize(("given", "expected"), [(None, (1, 2, 4)), ((1, 1, 1), (1, 1, 1))])
def test_deeplab_v3_gives_its_multi_grid_to_a_resnet_by_name(monkeypatch, given, expected):
    found = []

    def build(input_shape, *, weights, output_stride, multi_grid):
        found.append(multi_grid)
        return encoder(output_stride)

    monkeypatch.setitem(BUILDERS, "resnet50_v1_5", build)
    deeplab_v3(5, "resnet50_v1_5", width=8, multi_grid=given)
    assert found == [expected]


def test_what_keras_has_not_is_left_out():
    model = encoder()
    source = {name: np.asarray(t, "float64") for name, t in tensors(model).items()}
    extra = {"bn1.num_batches_tracked": np.array(7), "fc.weight": np.ones((9, 8)), "fc.bias": [1.0]}
    load_torchvision(model, source | extra)
    np.testing.assert_allclose(model.get_layer("stem_bn").beta, source["bn1.bias"], rtol=1e-6)


def without(*names):
    return lambda source: {k: v for k, v in source.items() if k not in names}


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("resnet", without("bn1.bias"), r"^source: found no bn1.bias \(4,\)\.$"),
        (
            "fcn",
            lambda source: source | {"fc.weight": np.ones((9, 8))},
            r"^source: found fc.weight, which has no place\.$",
        ),
        (
            "resnet",
            lambda source: source | {"conv1.weight": np.ones((4, 3, 3, 3))},
            r"^source: found conv1.weight \(4, 3, 3, 3\), expected \(4, 3, 7, 7\)\.$",
        ),
        (
            "resnet",
            lambda source: source | {"bn1.weight": np.ones((4, 1))},
            r"found bn1.weight \(4, 1\), expected \(4,\)",
        ),
        (
            "deeplab",
            lambda source: {f"module.{name}": tensor for name, tensor in source.items()},
            r"found no backbone.conv1.weight \(4, 3, 7, 7\); no backbone.bn1.weight .*; \.\.\.; "
            r"module.backbone.conv1.weight, which has no place; .*; \.\.\.\.$",
        ),
        (
            "fcn",
            lambda source: {"model": source, "epoch": 3},
            r"; model, which has no place; epoch, ",
        ),
        ("deeplab", lambda source: {}, r"found no backbone.conv1.weight"),
    ],
)
def test_tensors_that_do_not_fit_are_named_and_none_is_loaded(kind, change, message):
    model = TINY[kind]()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        load_torchvision(model, change(tensors(model)))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_a_file_that_does_not_fit_is_named(monkeypatch):
    monkeypatch.setattr(
        segbook.pretrained.torchvision, "load_tensors", lambda path: {"a": np.ones(2)}
    )
    with pytest.raises(ValueError, match=r"^some/file.pth: found no conv1.weight"):
        load_torchvision(encoder(), Path("some/file.pth"))


@pytest.mark.parametrize(
    "build",
    [
        lambda: small_encoder(width=4),
        lambda: deeplab_v3(5, encoder(8), output_stride=8, rates=(1, 2, 3, 4, 5), width=8),
    ],
)
def test_a_model_that_torchvision_has_not(build):
    with pytest.raises(ValueError, match=r"must be a network of torchvision: resnet50_v1_5"):
        load_torchvision(build(), {})


def check_outputs(torch_networks, theirs, ours, x):
    """With equal weights, all outputs are equal to 1e-4; they are about 1 in size."""
    torch_networks.randomize(theirs)
    load_torchvision(ours, {name: t.numpy() for name, t in theirs.state_dict().items()})
    expected = torch_networks.outputs(theirs, x)
    for y, z in zip(harness.outputs(ours, x), expected, strict=True):
        assert 0.3 < z.std() < 5
        np.testing.assert_allclose(y, z, rtol=0, atol=1e-4)


@pytest.fixture
def torch_networks():
    pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    import torch_networks

    return torch_networks


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("resnet", (64, 96)),
        ("resnet", (65, 97)),
        ("resnet", (62, 33)),
        ("fcn", (64, 96)),
        ("fcn", (33, 47)),
        # Long enough for the atrous rates 12, 24 and 36 at output stride 8.
        ("deeplab", (312, 40)),
        ("deeplab", (313, 41)),
    ],
)
def test_outputs_equal_torchs(torch_networks, kind, size):
    theirs = torch_networks.network(kind, 5, depths=DEPTHS, width=WIDTH, head_width=8)
    check_outputs(torch_networks, theirs, TINY[kind](), harness.picture(*size))


def test_the_networks_of_the_test_have_torchvisions_names(torch_networks):
    state = torch_networks.network("deeplab", 21).state_dict()
    theirs = {k: tuple(v.shape) for k, v in state.items() if "num_batches" not in k}
    assert theirs == table_of_deeplab()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_written_by_torch_loads(torch_networks, zipped, tmp_path):
    import torch

    path = tmp_path / "network.pth"
    theirs = torch_networks.ResNet(DEPTHS, WIDTH)
    torch.save(theirs.state_dict(), path, _use_new_zipfile_serialization=zipped)
    ours = encoder()
    load_torchvision(ours, path)
    last = ours.get_layer("stage4_block2_conv3")
    kernel = theirs.layer4[1].conv3.weight.detach().numpy()
    np.testing.assert_array_equal(ops.convert_to_numpy(last.kernel)[0, 0], kernel[:, :, 0, 0].T)

    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ValueError, match=r"network\.pth: found"):
        load_torchvision(ours, str(path))


@pytest.mark.slow
@pytest.mark.parametrize("kind", TINY)
def test_outputs_equal_torchs_at_full_size(torch_networks, kind):
    ours = {
        "resnet": lambda: resnet50_v1_5(),
        "fcn": lambda: fcn_resnet(21, auxiliary=True),
        "deeplab": lambda: deeplab_v3(
            21, "resnet50_v1_5", output_stride=8, multi_grid=(1, 1, 1), auxiliary=True
        ),
    }[kind]()
    theirs = torch_networks.network(kind, 21)
    check_outputs(torch_networks, theirs, ours, harness.picture(97, 130, batch=1))
