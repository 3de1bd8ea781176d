"""Metrics on (integer mask, logits), all from exact counts of pixels.

A page of conventions: the same predictions get different scores from different libraries. Ours:

- **What goes in.** Integer masks `(n, h, w)` and logits `(n, h, w, C)`, as for the losses. The
  predicted class is the one with the highest logit, the first among equals. Softmax does not move
  the highest value, so probabilities score the same.
- **One logit a pixel.** `num_classes=1` means one sigmoid, with two classes: background (0) and
  object (1). The matrix is 2x2, the means are over both, as with two logits. A pixel is object when
  its probability is above `threshold`. The object's own scores are the second of `per_class()`.
  Give logits: a sigmoid's probabilities cannot be told from logits, and all would be object.
- **Classes that overlap.** `MultilabelIoU` takes a mask of 0 and 1 and a sigmoid a class,
  `(n, h, w, C)`. The other metrics need classes that exclude one another.
- **Whole data set.** Pixels are counted over all batches, and scores come from the counts at the
  end, so batches of 1, 3 and 8 give the same number. A mean of per-batch IoUs, which
  segmentation_models gives, does not; nor does the mean of per-picture IoUs, another quantity.
  Counts are exact past 2^31 pixels. A float32 counter to which pixels are added one by one stops at
  2^24, eight pictures of Cityscapes; an int32, as Keras 3.15's MeanIoU has on JAX and PyTorch,
  turns negative at 2^31.
- **Void.** Pixels whose label is `ignore_label`, or one of several, are not counted, wherever they
  are predicted; None ignores no label. A class can be ignored too: then its score is NaN and no
  mean includes it, but predicting it on other pixels still misses them.
- **Absent classes.** A class in neither truth nor prediction is left out of the means; one that is
  only predicted has IoU 0 and counts; `MeanAccuracy` leaves out every class without true pixels.
  For the confusion matrix [[1, 1, 0], [1, 1, 0], [0, 0, 0]], rows true, the mean IoU is

  ======  ==================================================================================
  0.333   here, Keras, MMSegmentation, Hugging Face's evaluate: the absent class is left out
  0.222   scikit-learn with `labels`, PaddleSeg, image-segmentation-keras: it scores 0
  0.556   segmentation_models.pytorch (macro), segmentation_models: it scores 1
  NaN     torchvision: zero by zero
  ======  ==================================================================================

  Chapter 3 has the versions and commits that were run or read.
- **Nothing measured.** If all pixels are void, or there are none, a score is NaN. Keras's MeanIoU
  says 0, which reads as a bad model.
- **Labels out of range.** A label that is neither a class nor ignored is counted apart, and reading
  the result raises an error with the number of such pixels: at the end of the epoch in `fit`, or
  after `evaluate`. So do pixels with NaN logits. Within a compiled step the score is that of the
  other pixels.
- **Weights.** Pixels are counted, not weighted: `sample_weight` is refused. `fit` passes sample
  weights only to `weighted_metrics`; list these under `metrics`.
- **Per class.** `per_class()` gives IoU, precision, recall and F1, which equal scikit-learn's with
  `zero_division=nan`; `matrix()` the exact counts; `report()` a table. Dice is F1.
- **Near boundaries.** Distances are in pixels along the larger of the two axes (a square window).
  `BoundaryIoU` compares the bands just inside the contours of truth and prediction; as in its
  authors' code the picture's edge belongs to the contour; void belongs to no class. The `Trimap`
  metrics count pixels on both sides of the true boundaries, borders to void included, and the
  picture's edge is no boundary.

Several metrics in one `compile` count alike; XLA does it once for all. One `MeanIoU` and its
`per_class()` are enough to know everything.
"""

from segbook.metrics.boundary import BoundaryIoU, TrimapAccuracy, TrimapIoU, near_boundary
from segbook.metrics.multilabel import MultilabelIoU
from segbook.metrics.standard import (
    FrequencyWeightedIoU,
    MeanAccuracy,
    MeanDice,
    MeanIoU,
    PixelAccuracy,
)

__all__ = [
    "BoundaryIoU",
    "FrequencyWeightedIoU",
    "MeanAccuracy",
    "MeanDice",
    "MeanIoU",
    "MultilabelIoU",
    "PixelAccuracy",
    "TrimapAccuracy",
    "TrimapIoU",
    "near_boundary",
]
