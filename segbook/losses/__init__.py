"""Losses on (integer mask, logits): void pixels take no part, and losses add and scale.

What the logits are follows from the shapes, for every loss alike:

==================  ===================  ============================================
mask                logits               the logits are
==================  ===================  ============================================
``(n, h, w)``       ``(n, h, w, C)``     a softmax over C classes
``(n, h, w)``       ``(n, h, w, 1)``     one sigmoid: the label 1 against 0
``(n, h, w, C)``    ``(n, h, w, C)``     C sigmoids: classes that overlap, 0 and 1 each
==================  ===================  ============================================

All but `LovaszSoftmax` take one sigmoid; classes that overlap are for `BinaryCrossEntropy`, `Dice`,
`Focal`, `LovaszHinge` and `Tversky`. A one-hot mask looks like classes that overlap: give the
integer mask for a softmax.
"""

from segbook.losses.base import MaskLoss, WeightedSum
from segbook.losses.binary import BinaryCrossEntropy
from segbook.losses.class_weights import (
    class_frequencies,
    inverse_frequency_weights,
    median_frequency_weights,
)
from segbook.losses.lovasz import LovaszHinge, LovaszSoftmax
from segbook.losses.pixels import CrossEntropy, Focal, HardestCrossEntropy
from segbook.losses.regions import Dice, Tversky

__all__ = [
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Dice",
    "Focal",
    "HardestCrossEntropy",
    "LovaszHinge",
    "LovaszSoftmax",
    "MaskLoss",
    "Tversky",
    "WeightedSum",
    "class_frequencies",
    "inverse_frequency_weights",
    "median_frequency_weights",
]
