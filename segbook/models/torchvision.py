"""How the weights of `deeplab_v3` with a ResNet are called in torchvision.

Converting published weights is a renaming and a transposition. Build the model as torchvision does,
`deeplab_v3(21, "resnet50", output_stride=8, multi_grid=(1, 1, 1), auxiliary=True)`, and rename:

| here | torchvision |
|---|---|
| `conv1_conv`, `conv1_bn` | `backbone.conv1`, `backbone.bn1` |
| `conv{s}_block{b}_{i}_conv`, `..._bn` | `backbone.layer{s-1}.{b-1}.conv{i}`, `....bn{i}` |
| `conv{s}_block{b}_0_conv`, `..._bn` | `backbone.layer{s-1}.{b-1}.downsample.0`, `....1` |
| `aspp_{i}`, `aspp_{i}_bn` | `classifier.0.convs.{i}.0`, `....1` |
| `aspp_pool_conv`, `aspp_pool_conv_bn` | `classifier.0.convs.4.1`, `....2` |
| `aspp_project`, `aspp_project_bn` | `classifier.0.project.0`, `....1` |
| `head`, `head_bn`, `score` | `classifier.1`, `classifier.2`, `classifier.4` |
| `auxiliary_head`, `..._bn`, `auxiliary_score` | `aux_classifier.0`, `.1`, `.4` |
| `kernel`, of shape `(h, w, in, out)` | `weight`, of shape `(out, in, h, w)` |
| `gamma`, `beta` | `weight`, `bias` |
| `moving_mean`, `moving_variance` | `running_mean`, `running_var` |

Three things differ. The convolutions of the ResNet of `keras.applications` have a bias, which is
zero in torchvision. Their stride is in the first 1x1 convolution of a stage, in torchvision in the
3x3 convolution, so converted weights fit but need some training. Batch normalisation has epsilon
1.001e-5 there and 1e-5 in torchvision.
"""

import re

_WEIGHTS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

_LAYERS = (
    (r"conv1_conv", r"backbone.conv1"),
    (r"conv1_bn", r"backbone.bn1"),
    (r"aspp_(\d)", r"classifier.0.convs.\1.0"),
    (r"aspp_(\d)_bn", r"classifier.0.convs.\1.1"),
    (r"aspp_pool_conv", r"classifier.0.convs.4.1"),
    (r"aspp_pool_conv_bn", r"classifier.0.convs.4.2"),
    (r"aspp_project", r"classifier.0.project.0"),
    (r"aspp_project_bn", r"classifier.0.project.1"),
    (r"head", r"classifier.1"),
    (r"head_bn", r"classifier.2"),
    (r"score", r"classifier.4"),
    (r"auxiliary_head", r"aux_classifier.0"),
    (r"auxiliary_head_bn", r"aux_classifier.1"),
    (r"auxiliary_score", r"aux_classifier.4"),
)


def torchvision_name(path):
    """Translate the path of a weight of `deeplab_v3` with a ResNet.

    Args:
        path: Path of a Keras weight, such as "conv2_block1_1_conv/kernel".

    Returns:
        The name in torchvision's `state_dict`, such as "backbone.layer1.0.conv1.weight", or None
        for the bias of a ResNet's convolution, which torchvision does not have.

    Raises:
        ValueError: If there is no such weight in torchvision's model.
    """
    layer, weight = path.split("/")[-2:]
    block = re.fullmatch(r"conv(\d)_block(\d+)_(\d)_(conv|bn)", layer)
    if weight == "bias" and (block or layer == "conv1_conv"):
        return None
    if block:
        stage, number, i, kind = block.groups()
        prefix = f"backbone.layer{int(stage) - 1}.{int(number) - 1}"
        shortcut = f"downsample.{0 if kind == 'conv' else 1}"
        return f"{prefix}.{shortcut if i == '0' else kind + i}.{_WEIGHTS[weight]}"
    for pattern, name in _LAYERS:
        if re.fullmatch(pattern, layer):
            return f"{re.sub(pattern, name, layer)}.{_WEIGHTS[weight]}"
    raise ValueError(f"path={path!r} is no weight of a DeepLab v3 with a ResNet.")
