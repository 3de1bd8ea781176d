"""Losses on (integer mask, logits): void pixels take no part, and losses add and scale."""

from segbook.losses.base import MaskLoss, WeightedSum
from segbook.losses.class_weights import (
    class_frequencies,
    inverse_frequency_weights,
    median_frequency_weights,
)
from segbook.losses.lovasz import LovaszSoftmax
from segbook.losses.pixels import CrossEntropy, Focal, HardestCrossEntropy
from segbook.losses.regions import Dice, Tversky

__all__ = [
    "CrossEntropy",
    "Dice",
    "Focal",
    "HardestCrossEntropy",
    "LovaszSoftmax",
    "MaskLoss",
    "Tversky",
    "WeightedSum",
    "class_frequencies",
    "inverse_frequency_weights",
    "median_frequency_weights",
]
