"""Layers and blocks, one topic a file."""

from segbook.layers.attention import (
    ChannelAttention,
    CrissCrossAttention,
    ObjectRegions,
    PositionAttention,
    ScaledDotProduct,
    object_context,
    region_weights,
)
from segbook.layers.blocks import batch_normalization, conv_block, separable_block
from segbook.layers.pooling import (
    AdaptiveAveragePooling,
    DilatedMaxPooling,
    MaxPoolWithIndices,
    MaxUnpool,
)
from segbook.layers.pyramids import aspp, aspp_sum, image_pooling, pyramid_pooling
from segbook.layers.resize import (
    BilinearInitializer,
    CropLike,
    ResizeLike,
    bilinear_transposed,
    center_crop_to,
    crop_to,
    logits_like,
    resize_to,
)

__all__ = [
    "AdaptiveAveragePooling",
    "BilinearInitializer",
    "ChannelAttention",
    "CrissCrossAttention",
    "CropLike",
    "DilatedMaxPooling",
    "MaxPoolWithIndices",
    "MaxUnpool",
    "ObjectRegions",
    "PositionAttention",
    "ResizeLike",
    "ScaledDotProduct",
    "aspp",
    "aspp_sum",
    "batch_normalization",
    "bilinear_transposed",
    "center_crop_to",
    "conv_block",
    "crop_to",
    "image_pooling",
    "logits_like",
    "object_context",
    "pyramid_pooling",
    "region_weights",
    "resize_to",
    "separable_block",
]
