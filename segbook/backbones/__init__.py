"""Encoders: functional models that give one feature map at each stride, finest first.

Every backbone takes pictures in [0, 1] and has five outputs, at strides 2, 4, 8, 16 and 32, but
never coarser than its output stride: with output stride 8 the last three are all at stride 8.
"""

from segbook.backbones.applications import (
    densenet121,
    efficientnet_b0,
    mobilenet_v2,
    resnet50,
    resnet101,
    xception,
)
from segbook.backbones.choose import BUILDERS, get_backbone
from segbook.backbones.efficientnet_lite import (
    efficientnet_lite0,
    efficientnet_lite0_classifier,
)
from segbook.backbones.imagenet import imagenet_class_names
from segbook.backbones.preprocessing import CaffePreprocessing
from segbook.backbones.resnet import resnet50_v1_5, resnet101_v1_5, resnet_v1_5
from segbook.backbones.small import small_encoder
from segbook.backbones.vgg import VGG16_DEPTHS, vgg, vgg16

__all__ = [
    "BUILDERS",
    "VGG16_DEPTHS",
    "CaffePreprocessing",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_lite0",
    "efficientnet_lite0_classifier",
    "get_backbone",
    "imagenet_class_names",
    "mobilenet_v2",
    "resnet50",
    "resnet50_v1_5",
    "resnet101",
    "resnet101_v1_5",
    "resnet_v1_5",
    "small_encoder",
    "vgg",
    "vgg16",
    "xception",
]
