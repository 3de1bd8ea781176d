"""Load torchvision's weights: its ResNet-50 and -101, and its DeepLab v3 and FCN on them.

| torchvision's file | the model here |
|---|---|
| `resnet50-0676ba61.pth`, `resnet50-11ad3fa6.pth` | `resnet50_v1_5(weights=path)` |
| `resnet101-63fe2227.pth`, `resnet101-cd907fc2.pth` | `resnet101_v1_5(weights=path)` |
| `deeplabv3_resnet50_coco-cd0a2569.pth` | `deeplab_v3(21, "resnet50_v1_5", output_stride=8, multi_grid=(1, 1, 1), auxiliary=True)` |
| `deeplabv3_resnet101_coco-586e9e4e.pth` | the same on "resnet101_v1_5" |
| `fcn_resnet50_coco-1167a1af.pth` | `fcn_resnet(21, "resnet50_v1_5", auxiliary=True)` |
| `fcn_resnet101_coco-7ecb50ca.pth` | the same on "resnet101_v1_5" |

The 21 classes are PASCAL VOC's. Strides and dilation have no weights: an encoder at any output
stride takes the same file, and a DeepLab or FCN computes what torchvision's does if it is built as
above. Our models take pictures in [0, 1] and normalise them inside.
"""  # noqa: E501  a table

import os
import re

import keras

from segbook.pretrained.assign import assign_tensors
from segbook.pretrained.torchfile import load_tensors

_RESNET = (
    (r"stem", r"conv1"),
    (r"stem_bn", r"bn1"),
    (r"stage(\d)_block(\d+)_conv(\d)", r"layer\1.\2.conv\3"),
    (r"stage(\d)_block(\d+)_conv(\d)_bn", r"layer\1.\2.bn\3"),
    (r"stage(\d)_block(\d+)_shortcut", r"layer\1.\2.downsample.0"),
    (r"stage(\d)_block(\d+)_shortcut_bn", r"layer\1.\2.downsample.1"),
)

_AUXILIARY = (
    (r"auxiliary_head", r"aux_classifier.0"),
    (r"auxiliary_head_bn", r"aux_classifier.1"),
    (r"auxiliary_score", r"aux_classifier.4"),
)

_FCN = (
    (r"head", r"classifier.0"),
    (r"head_bn", r"classifier.1"),
    (r"score", r"classifier.4"),
)

_DEEPLAB = (
    (r"aspp_([0-3])", r"classifier.0.convs.\1.0"),
    (r"aspp_([0-3])_bn", r"classifier.0.convs.\1.1"),
    (r"aspp_pool_conv", r"classifier.0.convs.4.1"),
    (r"aspp_pool_conv_bn", r"classifier.0.convs.4.2"),
    (r"aspp_project", r"classifier.0.project.0"),
    (r"aspp_project_bn", r"classifier.0.project.1"),
    (r"head", r"classifier.1"),
    (r"head_bn", r"classifier.2"),
    (r"score", r"classifier.4"),
)


def load_torchvision(model, source):
    """Give a model the weights of the same network of torchvision.

    All tensors must fit; else none is loaded. Left out are the last layer of a classifier, `fc`,
    where the model is an encoder, and batch normalisation's `num_batches_tracked`, which Keras does
    not have.

    Args:
        model: `backbones.resnet50_v1_5()`, `resnet101_v1_5()` or `resnet_v1_5(...)`, or a
            `deeplab_v3` or `fcn_resnet` on one of them.
        source: Path of a `.pth` file, or a dict from torchvision's names to arrays, such as
            `{name: tensor.numpy() for name, tensor in network.state_dict().items()}`.

    Raises:
        ValueError: If the model is not of these, or tensors are missing, left over or of another
            shape; the message names the first of them.
    """
    modules = torchvision_modules(model)
    from_file = isinstance(source, str | os.PathLike)
    tensors = load_tensors(source) if from_file else source
    if "conv1" in modules:
        tensors = {name: x for name, x in tensors.items() if name not in ("fc.weight", "fc.bias")}
    assign_tensors(modules, tensors, source=source if from_file else "source")


def torchvision_modules(model):
    """List the layers of a model by the names that torchvision has for them.

    Args:
        model: A model that `load_torchvision` takes.

    Returns:
        A dict from the name of a module, such as "backbone.layer1.0.conv1", to the Keras layer.

    Raises:
        ValueError: If torchvision does not have such a model.
    """
    layers = {layer.name: layer for layer in _flatten(model) if layer.weights}
    table = _RESNET
    if "score" in layers:
        table = [(pattern, f"backbone.{module}") for pattern, module in _RESNET]
        table += [*_AUXILIARY, *(_DEEPLAB if "aspp_project" in layers else _FCN)]
    modules = {}
    for name, layer in layers.items():
        # torchvision counts blocks from 0.
        key = re.sub(r"(?<=_block)\d+", lambda number: str(int(number[0]) - 1), name)
        found = [re.sub(a, module, key) for a, module in table if re.fullmatch(a, key)]
        if not found:
            raise ValueError(
                f"model {model.name!r} with the layer {name!r} must be a network of torchvision: "
                "resnet50_v1_5, resnet101_v1_5, or deeplab_v3 or fcn_resnet on one of them."
            )
        modules[found[0]] = layer
    return modules


def _flatten(model):
    for layer in model.layers:
        yield from _flatten(layer) if isinstance(layer, keras.Model) else [layer]
