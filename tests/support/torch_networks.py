"""torchvision's ResNet, FCN and DeepLab v3 as plain PyTorch, with its names, at any width.

Written from the architecture; `test_torchvision` compares its names and shapes with torchvision's.
"""

import torch
from torch import nn
from torch.nn import functional

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def conv(channels_in, channels_out, size=1, *, stride=1, dilation=1):
    padding = dilation * (size // 2)
    return nn.Conv2d(channels_in, channels_out, size, stride, padding, dilation, bias=False)


def conv_bn_relu(channels_in, channels_out, size=1, *, dilation=1):
    return [
        conv(channels_in, channels_out, size, dilation=dilation),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    ]


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride, dilation):
        super().__init__()
        self.conv1, self.bn1 = conv(channels, width), nn.BatchNorm2d(width)
        self.conv2 = conv(width, width, 3, stride=stride, dilation=dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, 4 * width), nn.BatchNorm2d(4 * width)
        self.downsample = nn.Sequential()
        if channels != 4 * width or stride != 1:
            self.downsample = nn.Sequential(
                conv(channels, 4 * width, stride=stride), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        return (self.bn3(self.conv3(y)) + self.downsample(x)).relu()


class ResNet(nn.Module):
    """Gives its features at strides 2 to 32; `dilated` are the stages 3 and 4 without stride."""

    def __init__(self, depths=(3, 4, 6, 3), width=64, dilated=(False, False)):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels, dilation = width, 1
        for stage, depth in enumerate(depths):
            stride, first = (1 if stage == 0 else 2), dilation
            if stage >= 2 and dilated[stage - 2]:
                stride, dilation = 1, dilation * 2
            blocks = []
            for block in range(depth):
                settings = (stride, first) if block == 0 else (1, dilation)
                blocks.append(Bottleneck(channels, width * 2**stage, *settings))
                channels = 4 * width * 2**stage
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))

    def forward(self, x):
        features = [self.bn1(self.conv1(x)).relu()]
        x = functional.max_pool2d(features[0], 3, stride=2, padding=1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            features.append(x)
        return features


class ImagePooling(nn.Sequential):
    def forward(self, x):
        return functional.interpolate(
            super().forward(x), size=x.shape[2:], mode="bilinear", align_corners=False
        )


class Pyramid(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        branches = [nn.Sequential(*conv_bn_relu(channels, width))]
        for rate in (12, 24, 36):
            branches.append(nn.Sequential(*conv_bn_relu(channels, width, 3, dilation=rate)))
        branches.append(ImagePooling(nn.AdaptiveAvgPool2d(1), *conv_bn_relu(channels, width)))
        self.convs = nn.ModuleList(branches)
        self.project = nn.Sequential(*conv_bn_relu(5 * width, width), nn.Dropout(0.5))

    def forward(self, x):
        return self.project(torch.cat([branch(x) for branch in self.convs], dim=1))


def fcn_head(channels, classes):
    layers = conv_bn_relu(channels, channels // 4, 3)
    return nn.Sequential(*layers, nn.Dropout(0.1), nn.Conv2d(channels // 4, classes, 1))


def deeplab_head(channels, classes, width=256):
    layers = conv_bn_relu(width, width, 3)
    return nn.Sequential(Pyramid(channels, width), *layers, nn.Conv2d(width, classes, 1))


class Segmentation(nn.Module):
    """Gives the logits and the auxiliary logits at the size of the picture."""

    def __init__(self, backbone, classifier, aux_classifier):
        super().__init__()
        self.backbone, self.classifier = backbone, classifier
        self.aux_classifier = aux_classifier

    def forward(self, x):
        *_, middle, last = self.backbone(x)
        scores = [self.classifier(last), self.aux_classifier(middle)]
        return [
            functional.interpolate(s, size=x.shape[2:], mode="bilinear", align_corners=False)
            for s in scores
        ]


def network(kind, classes, *, depths=(3, 4, 6, 3), width=64, head_width=256):
    """Make the "resnet", "fcn" or "deeplab" of torchvision, the last two at output stride 8."""
    if kind == "resnet":
        return ResNet(depths, width)
    head = fcn_head(32 * width, classes)
    if kind == "deeplab":
        head = deeplab_head(32 * width, classes, head_width)
    backbone = ResNet(depths, width, (True, True))
    return Segmentation(backbone, head, fcn_head(16 * width, classes))


@torch.no_grad()
def randomize(module, seed=0):
    """Give each weight a value of its own, and batch normalisation the statistics of noise."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.named_parameters():
        if tensor.ndim == 4:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
        elif name.endswith("bn3.weight"):
            # As after training: a block adds little to its input, so that rounding stays small.
            tensor.uniform_(0.1, 0.3, generator=generator)
        elif name.endswith("weight"):
            tensor.uniform_(0.5, 1.5, generator=generator)
        else:
            tensor.normal_(0, 0.3, generator=generator)
    module.eval()
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    # Of different brightness, or image pooling would see the same four times.
    brightness = torch.tensor([0.1, 0.4, 0.7, 1.0])[:, None, None, None]
    outputs(module, (torch.rand(4, 160, 192, 3, generator=generator) * brightness).numpy())
    return module.eval()


@torch.no_grad()
def outputs(module, pictures):
    """Normalise pictures `(n, h, w, 3)` in [0, 1] and return what the network makes of them."""
    x = (torch.tensor(pictures) - torch.tensor(MEAN)) / torch.tensor(DEVIATION)
    return [y.permute(0, 2, 3, 1).numpy() for y in module(x.permute(0, 3, 1, 2))]
