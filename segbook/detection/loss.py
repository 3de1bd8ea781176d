"""The loss of SSD."""

import keras
from keras import ops

from segbook.losses.base import register


@register
class SSDLoss(keras.losses.Loss):
    """Cross-entropy and smooth L1 over the priors that count, divided by how many have a box.

    Liu et al. 2016, section 2.2. All priors with a box count, and of the background in each picture
    those with the largest loss, `negatives` for each prior with a box. A picture without a box has
    as many as one with a single prior would have; in the paper it teaches nothing. The sum is
    divided by the priors with a box in the batch, 1 at least.

    The targets `(n, p, 5)` are those of `encode`: class and offsets. The outputs `(n, p, 5 + C)`
    are those of `models.ssd`: four offsets, and the logits of background and C classes.

    Args:
        negatives: How many priors of the background count for each one with a box.
        offsets: The weight of the smooth L1.
        name: The loss's name.

    Raises:
        ValueError: If an argument is negative.
    """

    def __init__(self, *, negatives=3.0, offsets=1.0, name="ssd_loss"):
        super().__init__(name=name, reduction="sum_over_batch_size", dtype="float32")
        for argument, value in (("negatives", negatives), ("offsets", offsets)):
            if value < 0:
                raise ValueError(f"{argument}={value} must be 0 or more.")
        self.negatives, self.offsets = negatives, offsets

    def call(self, y_true, y_pred):
        """Compute one number a picture; their mean is the loss."""
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        labels = ops.cast(y_true[..., 0], "int32")
        positive = ops.cast(labels > 0, "float32")
        entropy = ops.sparse_categorical_crossentropy(labels, y_pred[..., 4:], from_logits=True)
        # Ranks by loss, the hardest background first; priors with a box come last.
        hardness = ops.stop_gradient(ops.where(labels > 0, -1.0, entropy))
        ranks = ops.argsort(ops.argsort(-hardness, axis=-1), axis=-1)
        boxes = ops.sum(positive, axis=-1, keepdims=True)
        wanted = self.negatives * ops.maximum(boxes, 1.0)
        negative = ops.cast(ops.cast(ranks, "float32") < wanted, "float32") * (1 - positive)
        # Keras's Huber loss is the mean over the four offsets; smooth L1 is their sum.
        smooth = 4 * keras.losses.huber(y_true[..., 1:], y_pred[..., :4], delta=1.0)
        terms = entropy * (positive + negative) + self.offsets * smooth * positive
        total = ops.maximum(ops.sum(boxes), 1.0)
        pictures = ops.cast(ops.shape(y_true)[0], "float32")
        return ops.sum(terms, axis=-1) * pictures / total

    def get_config(self):
        """Give the arguments that rebuild the loss."""
        return {"negatives": self.negatives, "offsets": self.offsets, "name": self.name}
