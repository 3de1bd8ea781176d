"""From samples to batches: order, augmentation, and what `fit`, `evaluate` and `predict` take.

The augmentations of `segbook.augment` have their names here too: `pipeline.flip`.
"""

import keras
import numpy as np

from segbook.augment import chain, flip, pad, photometric, resample, warp
from segbook.checks import check_pictures_and_masks

__all__ = ["Epochs", "batches", "chain", "flip", "pad", "photometric", "resample", "warp"]


def batches(samples, batch_size, augment=None, *, seed=0, shuffle=True):
    """Make the batches that `fit`, `evaluate` and `predict` take.

    Every epoch has an order and augmentation of its own. They depend on `seed` and on the number of
    the epoch only, not on threads, machine or backend; each pass over the batches is an epoch.
    Tell `fit` not to shuffle once more: `model.fit(batches(...), shuffle=False)`.

    Args:
        samples: `Samples`, checked here; lazy ones are checked batch by batch.
        batch_size: Samples a batch; the last batch of an epoch has the rest.
        augment: A function `(images, masks, rng)` to a batch of the same kind, or None.
        seed: Seed of order and augmentation.
        shuffle: False keeps the order, for `evaluate` and `predict`.

    Returns:
        A `tf.data.Dataset` on the TensorFlow backend, else a `keras.utils.PyDataset`, of
        `(images, masks)`: float32 `(n, h, w, 3)` and int32 `(n, h, w)`.

    Raises:
        ValueError: Naming the argument, what was found and what is allowed.
    """
    if not (isinstance(batch_size, int | np.integer) and batch_size > 0):
        raise ValueError(f"batch_size={batch_size!r} must be a positive integer.")
    epochs = Epochs(samples, batch_size, augment, seed=seed, shuffle=shuffle)
    return _tf_dataset(epochs) if keras.backend.backend() == "tensorflow" else epochs


class Epochs(keras.utils.PyDataset):
    """The batches of one epoch after the other, for any backend.

    Keras calls `on_epoch_end`; in a loop of your own, call it too.

    Args:
        samples: `Samples`.
        batch_size: Samples a batch.
        augment: A function `(images, masks, rng)` to a batch of the same kind, or None.
        seed: Seed of order and augmentation.
        shuffle: Whether each epoch has an order of its own.
    """

    def __init__(self, samples, batch_size, augment=None, *, seed=0, shuffle=True):
        super().__init__()
        self.samples = samples
        self.batch_size = batch_size
        self.augment = augment
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0
        self.lazy = not isinstance(samples.images, np.ndarray)
        if len(samples) == 0 or not self.lazy:
            self._check(samples.images, samples.masks)

    def __len__(self):
        return -(-len(self.samples) // self.batch_size)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        return self.batch(self.epoch, index)

    def on_epoch_end(self):
        """Go on to the next epoch."""
        self.epoch += 1

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
        if self.lazy:
            self._check(images, masks)
        masks = masks.astype("int32")
        if self.augment is not None:
            images, masks = self.augment(images, masks, self._rng(epoch, index))
        return images, masks

    def _check(self, images, masks):
        check_pictures_and_masks(
            images, masks, self.samples.task.num_classes, self.samples.task.void
        )

    def _order(self, epoch):
        count = len(self.samples)
        return self._rng(epoch).permutation(count) if self.shuffle else np.arange(count)

    def _rng(self, *key):
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def _tf_dataset(epochs):
    import tensorflow as tf

    def one_epoch():
        epoch = epochs.epoch
        epochs.on_epoch_end()
        for index in range(len(epochs)):
            with keras.device("cpu"):
                batch = epochs.batch(epoch, index)
            yield batch

    images, masks = epochs.batch(0, 0)
    signature = (
        tf.TensorSpec((None, *images.shape[1:]), tf.float32),
        tf.TensorSpec((None, *masks.shape[1:]), tf.int32),
    )
    dataset = tf.data.Dataset.from_generator(one_epoch, output_signature=signature)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(epochs))).prefetch(2)
    options = tf.data.Options()
    # There is nothing to tune, and each epoch would end only when the tuner next wakes up: up to
    # twice as late.
    options.autotune.enabled = False
    return dataset.with_options(options)
