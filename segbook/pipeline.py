"""From samples to batches: order, augmentation, and what `fit`, `evaluate` and `predict` take.

The augmentations of `segbook.augment` have their names here too: `pipeline.flip()`.
"""

import keras
import numpy as np

from segbook.augment import (
    chain,
    check_augmentation,
    elastic,
    flip,
    pad,
    photometric,
    resample,
    warp,
)
from segbook.checks import check_pictures_and_masks

__all__ = [
    "Epochs",
    "batches",
    "chain",
    "elastic",
    "flip",
    "pad",
    "photometric",
    "resample",
    "warp",
]


def batches(samples, batch_size, augment=None, *, seed=0, shuffle=True, drop_last=None, outputs=1):
    """Make the batches that `fit`, `evaluate` and `predict` take: `model.fit(batches(...))`.

    Every epoch has an order and augmentation of its own. They depend on `seed` and on the number of
    the epoch only, not on threads, machine or backend.

    Args:
        samples: `Samples`, checked here; lazy ones are checked batch by batch.
        batch_size: Samples a batch.
        augment: A function `(images, masks, rng)` to a batch of the same kind, such as
            `pipeline.flip()`; or a list of such, taken in turn, batch after batch, for pictures of
            changing size: `[pipeline.warp(size) for size in sizes]`; or None.
        seed: Seed of order and augmentation.
        shuffle: False keeps the order, for `evaluate` and `predict`.
        drop_last: Whether to leave out what an epoch has left after its last whole batch. None does
            so when shuffling: those samples come in other epochs, and in a batch of one picture
            batch normalisation sees no variance where the picture has been pooled to a pixel. Fewer
            samples than one batch are a batch in any case.
        outputs: How many outputs the model has, each compared with the same masks.

    Returns:
        `Epochs`, a `keras.utils.PyDataset` of `(images, masks)`: float32 `(n, h, w, 3)` and int32
        `(n, h, w)`; a tuple of such masks for several outputs.

    Raises:
        ValueError: Naming the argument, what was found and what is allowed.
    """
    return Epochs(
        samples,
        batch_size,
        augment,
        seed=seed,
        shuffle=shuffle,
        drop_last=drop_last,
        outputs=outputs,
    )


class Epochs(keras.utils.PyDataset):
    """The batches of one epoch after the other; see `batches` for the arguments.

    Each pass over them is the next epoch, in `fit` or in a loop of yours. `fit` asks a `PyDataset`
    for its batches in a shuffled order, if not told otherwise; here it gets them in their own order
    all the same. They are made one after the other, so leave `workers` at 1.
    """

    def __init__(
        self,
        samples,
        batch_size,
        augment=None,
        *,
        seed=0,
        shuffle=True,
        drop_last=None,
        outputs=1,
    ):
        super().__init__()
        for name, value in {"batch_size": batch_size, "outputs": outputs}.items():
            if not (isinstance(value, int | np.integer) and value > 0):
                raise ValueError(f"{name}={value!r} must be a positive integer.")
        self.samples = samples
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.drop_last = shuffle if drop_last is None else drop_last
        self.outputs = outputs
        self.augmentations = list(augment) if isinstance(augment, list | tuple) else [augment]
        for each in self.augmentations:
            if each is not None:
                check_augmentation(each)
        self.epoch = 0
        self._asked = None  # while `fit` takes an epoch: the indices it asked for, in order
        self._cut_short = False
        self._lazy = not isinstance(samples.images, np.ndarray)
        if len(samples) == 0 or not self._lazy:
            self._check(samples.images, samples.masks)
        if len(self) < 2 <= len(self.augmentations):
            raise ValueError(
                f"augment of {len(self.augmentations)} augmentations must have 2 batches an epoch "
                f"or more; {len(samples)} samples make {len(self)} of batch_size={batch_size}."
            )

    def __len__(self):
        whole, rest = divmod(len(self.samples), self.batch_size)
        return whole + (rest > 0 and not (self.drop_last and whole))

    def __getitem__(self, index):
        """Make a batch of the present epoch; inside `fit` the next one, whatever the index."""
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        if self._asked is not None:
            return self.batch(self.epoch, self._asked.setdefault(index, len(self._asked)))
        looks = keras.backend.backend() == "tensorflow" and len(self.augmentations) > 1
        if looks and index == 1:
            # Before it trains on TensorFlow, Keras looks at two batches: an axis on which they
            # agree must have that length in all. So this look finds a row and a column fewer.
            return keras.tree.map_structure(lambda x: x[:, 1:, 1:], self.batch(self.epoch, 0))
        return self.batch(self.epoch, index)

    def __iter__(self):
        epoch, self.epoch = self.epoch, self.epoch + 1
        for index in range(len(self)):
            yield self.batch(epoch, index)

    def on_epoch_begin(self):
        """Start an epoch; Keras calls it."""
        self._asked = {}

    def on_epoch_end(self):
        """Go on to the next epoch; Keras calls it."""
        if self._asked is None:
            return
        # Keras takes a batch or two to build a model before its first epoch. That is no epoch, but
        # two such in a row are: with `steps_per_epoch` of 1 or 2.
        short = len(self._asked) <= 2 and len(self._asked) < len(self)
        self.epoch += not short or self._cut_short
        self._asked, self._cut_short = None, short

    def batch(self, epoch, index):
        """Make one batch.

        Args:
            epoch: Number of the epoch, from 0.
            index: Number of the batch in the epoch, from 0.

        Returns:
            `(images, masks)`, float32 `(n, h, w, 3)` and int32 `(n, h, w)`.
        """
        rows = self._order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        images = np.asarray(self.samples.images[rows])
        masks = np.asarray(self.samples.masks[rows])
        if self._lazy:
            self._check(images, masks)
        masks = masks.astype("int32")
        augment = self.augmentations[(epoch + index) % len(self.augmentations)]
        if augment is not None:
            images, masks = augment(images, masks, self._rng(epoch, index))
        return images, masks if self.outputs == 1 else (masks,) * self.outputs

    def _check(self, images, masks):
        check_pictures_and_masks(
            images, masks, self.samples.task.num_classes, self.samples.task.void
        )

    def _order(self, epoch):
        count = len(self.samples)
        return self._rng(epoch).permutation(count) if self.shuffle else np.arange(count)

    def _rng(self, *key):
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
