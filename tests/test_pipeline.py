import random
import warnings

import keras
import numpy as np
import pytest

from segbook import pipeline
from segbook.samples import Samples, Task

TASK = Task(("a", "b", "c"), np.zeros((3, 3), np.uint8))


def numbered(count=10, height=4, width=6):
    """Samples whose every pixel says which sample it is from."""
    images = np.zeros((count, height, width, 3), np.float32)
    images += np.arange(count, dtype=np.float32)[:, None, None, None] / count
    masks = np.broadcast_to((np.arange(count) % 3)[:, None, None], (count, height, width))
    return Samples(images, masks.astype(np.uint8), TASK)


def order(batches):
    return [round(float(i[0, 0, 0]) * 10) for images, _ in batches for i in images]


def test_every_epoch_has_every_pair_once_in_a_new_order():
    batches = pipeline.batches(numbered(), 4, seed=3, drop_last=False)
    first, second = order(batches), order(batches)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert first != list(range(10))


def test_the_seed_reproduces_all_epochs():
    once, again, other = (pipeline.batches(numbered(), 5, seed=s) for s in (3, 3, 4))
    epochs = [order(once), order(once)]
    assert [order(again), order(again)] == epochs
    assert [order(other), order(other)] != epochs


def test_the_order_is_the_same_on_every_backend_and_machine():
    assert order(pipeline.batches(numbered(), 5, seed=0)) == [4, 9, 8, 7, 5, 3, 0, 1, 2, 6]


def test_pictures_and_masks_stay_together():
    for images, masks in pipeline.batches(numbered(), 4):
        np.testing.assert_array_equal(np.round(images[..., 0] * 10) % 3, masks)


def test_without_shuffling_the_order_stays():
    batches = pipeline.batches(numbered(), 4, shuffle=False)
    assert order(batches) == order(batches) == list(range(10))


@pytest.mark.parametrize(
    ("count", "batch_size", "options", "sizes"),
    [
        (10, 4, {}, [4, 4]),
        (10, 4, {"drop_last": False}, [4, 4, 2]),
        (10, 4, {"shuffle": False}, [4, 4, 2]),
        (10, 4, {"shuffle": False, "drop_last": True}, [4, 4]),
        (9, 2, {}, [2, 2, 2, 2]),
        (8, 4, {}, [4, 4]),
        (3, 4, {}, [3]),  # fewer than a batch are a batch
        (1, 4, {"drop_last": True}, [1]),
    ],
)
def test_shapes_dtypes_and_what_is_dropped(count, batch_size, options, sizes):
    batches = pipeline.batches(numbered(count), batch_size, **options)
    assert len(batches) == len(sizes)
    pairs = list(batches)
    assert [images.shape for images, _ in pairs] == [(n, 4, 6, 3) for n in sizes]
    assert [masks.shape for _, masks in pairs] == [(n, 4, 6) for n in sizes]
    assert all(i.dtype == np.float32 and m.dtype == np.int32 for i, m in pairs)


def test_what_one_epoch_drops_another_has():
    batches = pipeline.batches(numbered(), 4)
    assert {row for _ in range(5) for row in order(batches)} == set(range(10))


def darker(images, masks, rng):
    """An augmentation whose draw can be read off the picture."""
    return images * np.float32(rng.random()), masks


def test_each_batch_has_its_own_draws():
    samples = numbered()
    samples.images[:] = 1
    batches = pipeline.batches(samples, 2, darker)
    draws = [images[0, 0, 0, 0] for _ in range(2) for images, _ in batches]
    assert len({float(draw) for draw in draws}) == 10


def test_augmentation_is_reproduced_and_differs_between_epochs():
    def epochs():
        batches = pipeline.batches(numbered(), 5, augment=darker, seed=1, shuffle=False)
        return [np.concatenate([images for images, _ in batches]) for _ in range(2)]

    first, again = epochs(), epochs()
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0][1:] - first[1][1:]).min() > 0


def test_flip_mirrors_picture_and_mask_together():
    images = np.random.default_rng(0).random((64, 2, 5, 3)).astype(np.float32)
    masks = (images[..., 0] * 3).astype(np.uint8)
    flipped, labels = pipeline.flip()(images, masks, np.random.default_rng(0))
    np.testing.assert_array_equal((flipped[..., 0] * 3).astype(np.uint8), labels)
    mirrored = [np.array_equal(new, old[:, ::-1]) for new, old in zip(flipped, images, strict=True)]
    kept = [np.array_equal(new, old) for new, old in zip(flipped, images, strict=True)]
    assert np.logical_xor(mirrored, kept).all()
    assert 20 < sum(mirrored) < 44


class Logged(pipeline.Epochs):
    """Notes which batches `fit`, `evaluate` and `predict` take."""

    def __init__(self, *arguments, **options):
        self.taken = []
        super().__init__(*arguments, **options)

    def batch(self, epoch, index):
        if self._asked is not None:  # else Keras has only a look
            self.taken.append((epoch, index))
        return super().batch(epoch, index)

    def epochs(self, count):
        """Return what was taken, without what Keras builds a model with."""
        return self.taken[-count * len(self) :]


def small_model(outputs=1):
    image = keras.Input((None, None, 3))
    logits = [keras.layers.Conv2D(3, 1)(image) for _ in range(outputs)]
    model = keras.Model(image, logits if outputs > 1 else logits[0])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model.compile("sgd", loss if outputs == 1 else [loss] * outputs)
    return model


def first_epochs(count, length, start=0):
    return [(start + epoch, index) for epoch in range(count) for index in range(length)]


@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"shuffle": True}])
def test_fit_takes_the_batches_in_their_own_order_and_does_not_warn(options):
    batches, model = Logged(numbered(), 1), small_model()
    random.seed(1)  # which Keras shuffles with
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.fit(batches, epochs=2, verbose=0, **options)
        assert batches.epochs(2) == first_epochs(2, 10)
        model.fit(batches, verbose=0, **options)
    assert batches.epochs(1) == first_epochs(1, 10, start=2)
    assert batches.epoch == 3


def test_epochs_of_one_batch_differ_too():
    batches = Logged(numbered(), 10)
    small_model().fit(batches, epochs=3, verbose=0)
    assert len(set(batches.epochs(3))) == 3


def test_an_epoch_of_single_steps_goes_on():
    batches = Logged(numbered(), 2)
    small_model().fit(batches, epochs=5, steps_per_epoch=1, verbose=0)
    assert len(set(batches.epochs(1))) >= 3


def test_fit_with_validation_evaluate_and_predict_take_the_batches():
    model, samples = small_model(), numbered()
    ordered = Logged(samples, 4, shuffle=False)
    augmented = pipeline.batches(samples, 4, pipeline.flip())
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.fit(augmented, epochs=2, validation_data=ordered, verbose=0)
        assert [index for _, index in ordered.epochs(2)] == [0, 1, 2] * 2
        loss = model.evaluate(ordered, verbose=0)
        logits = model.predict(ordered, verbose=0)
    # The parts of an epoch, each in its place.
    np.testing.assert_allclose(logits, model.predict(samples.images, verbose=0), atol=1e-6)
    masks = samples.masks.astype("int32")
    assert loss == pytest.approx(model.evaluate(samples.images, masks, verbose=0), rel=1e-5)


def test_a_model_with_two_outputs_gets_the_masks_twice():
    batches = pipeline.batches(numbered(), 5, pipeline.flip(), outputs=2)
    _, masks = batches[0]
    assert isinstance(masks, tuple)
    np.testing.assert_array_equal(*masks)
    model = small_model(outputs=2)
    history = model.fit(batches, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(model.evaluate(batches, verbose=0, return_dict=True)["loss"])


@pytest.mark.parametrize(
    "sizes",
    [
        [(8, 12), (6, 9)],
        [(5, 8), (5, 9), (6, 8)],  # neighbours that share a side, and differ by a pixel
        [(5, 8), (6, 9)],
    ],
)
def test_sizes_change_from_batch_to_batch(sizes):
    augment = [pipeline.warp(size) for size in sizes]
    batches = Logged(numbered(), 2, augment)
    shapes = [images.shape[1:3] for images, _ in batches]
    assert shapes == [sizes[i % len(sizes)] for i in range(5)]
    assert next(iter(batches))[0].shape[1:3] == sizes[1]  # another one first in the next epoch
    model = small_model()
    model.fit(batches, epochs=3, verbose=0)
    assert batches.epochs(3) == first_epochs(3, 5, start=2)
    assert np.isfinite(model.evaluate(batches, verbose=0))


def test_changing_sizes_need_two_batches():
    with pytest.raises(ValueError, match=r"augment of 2 augmentations must have 2 batches"):
        pipeline.batches(numbered(), 10, [pipeline.flip(), pipeline.warp()])


def test_a_batch_can_be_looked_at():
    batches = pipeline.batches(numbered(), 2, pipeline.flip(), seed=5)
    for index in (3, 1, 3):
        np.testing.assert_array_equal(batches[index][0], batches.batch(0, index)[0])
    with pytest.raises(IndexError, match="batch 5 of 5"):
        batches[5]


GOOD = numbered()
BAD_SAMPLES = {
    "integers": ((GOOD.images * 255).astype(np.uint8), GOOD.masks, r"images of dtype uint8"),
    "bright": (GOOD.images * 255, GOOD.masks, r"images with values from 0 to 229.5"),
    "negative": (GOOD.images - 0.5, GOOD.masks, r"images with values from -0.5"),
    "nan": (GOOD.images * np.nan, GOOD.masks, r"images with values from nan"),
    "no channels": (GOOD.images[..., 0], GOOD.masks, r"images of shape \(10, 4, 6\)"),
    "unknown label": (GOOD.images, GOOD.masks + 1, r"unknown label 3, first in masks\[2\]"),
    "negative label": (GOOD.images, GOOD.masks.astype(int) - 1, r"unknown label -1, first in"),
    "several": (GOOD.images, GOOD.masks * 7, r"unknown labels 7, 14.*0\.\.2 and void = 255"),
    "float masks": (GOOD.images, GOOD.masks.astype(float), r"masks of dtype float64"),
    "one-hot": (GOOD.images, GOOD.masks[..., None], r"masks of shape \(10, 4, 6, 1\)"),
    "sizes": (GOOD.images, GOOD.masks[:, :3], r"\(10, 4, 6, 3\) and masks of shape \(10, 3, 6\)"),
    "counts": (GOOD.images, GOOD.masks[:9], r"\(10, 4, 6, 3\) and masks of shape \(9, 4, 6\)"),
    "empty": (GOOD.images[:0], GOOD.masks[:0], r"images of shape \(0, 4, 6, 3\) is empty"),
}


@pytest.mark.parametrize(("images", "masks", "message"), BAD_SAMPLES.values(), ids=BAD_SAMPLES)
def test_bad_samples_are_refused_before_training(images, masks, message):
    with pytest.raises(ValueError, match=message):
        pipeline.batches(Samples(images, masks, TASK), 4)


def test_void_is_allowed():
    masks = GOOD.masks.copy()
    masks[0, 0, 0] = 255
    assert pipeline.batches(Samples(GOOD.images, masks, TASK), 4) is not None


@pytest.mark.parametrize("name", ["batch_size", "outputs"])
@pytest.mark.parametrize("value", [0, -1, 2.5, None])
def test_bad_numbers(name, value):
    with pytest.raises(ValueError, match=rf"{name}={value} must be a positive integer"):
        pipeline.batches(GOOD, **({"batch_size": 4} | {name: value}))


@pytest.mark.parametrize("augment", [pipeline.flip, [pipeline.flip, pipeline.flip()]])
def test_a_maker_of_augmentations_is_refused(augment):
    message = r"augment=pipeline.flip must be called: augment=pipeline.flip\(\)"
    with pytest.raises(ValueError, match=message):
        pipeline.batches(GOOD, 4, augment)
