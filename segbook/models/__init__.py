"""Segmentation models, one family a file."""

from segbook.models.ccnet import ccnet
from segbook.models.danet import danet
from segbook.models.deeplab import deeplab_v1, deeplab_v2, deeplab_v3, deeplab_v3plus
from segbook.models.fcn import fcn
from segbook.models.fcn_resnet import fcn_resnet
from segbook.models.ocrnet import ocrnet
from segbook.models.pspnet import pspnet
from segbook.models.segformer import segformer
from segbook.models.segnet import segnet
from segbook.models.ssd import ssd
from segbook.models.unet import unet, unet_output_size

__all__ = [
    "ccnet",
    "danet",
    "deeplab_v1",
    "deeplab_v2",
    "deeplab_v3",
    "deeplab_v3plus",
    "fcn",
    "fcn_resnet",
    "ocrnet",
    "pspnet",
    "segformer",
    "segnet",
    "ssd",
    "unet",
    "unet_output_size",
]
