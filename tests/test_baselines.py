"""The table of colours against a loop over pixels."""

from collections import Counter

import numpy as np
import pytest

from segbook import baselines, worlds
from segbook.samples import Samples


def table_reference(samples, images, levels, strips):
    def cell(image, row, column):
        color = tuple(min(int(value * levels), levels - 1) for value in image[row, column])
        return (*color, row * strips // image.shape[0])

    seen = {}
    for image, mask in zip(samples.images, samples.masks, strict=True):
        for row, column in np.ndindex(mask.shape):
            if mask[row, column] != samples.task.void:
                votes = seen.setdefault(cell(image, row, column), Counter())
                votes[int(mask[row, column])] += 1
    overall = sum(seen.values(), Counter())
    of_strips = [Counter() for _ in range(strips)]
    for (*_, strip), votes in seen.items():
        of_strips[strip].update(votes)
    guesses = np.zeros(images.shape[:3], int)
    for n, row, column in np.ndindex(guesses.shape):
        own = cell(images[n], row, column)
        in_strip = of_strips[own[-1]] or overall
        votes = seen.get(own, in_strip)
        ranks = {label: (-votes[label], -in_strip[label], label) for label in votes}
        guesses[n, row, column] = min(ranks, key=ranks.get)
    return guesses


@pytest.mark.parametrize(
    ("levels", "strips", "size"), [(24, 12, 48), (4, 3, (48, 60)), (2, 1, 48), (1, 5, 50)]
)
def test_color_table_equals_the_loop(levels, strips, size):
    train, val = worlds.digits(3, 48, seed=1), worlds.digits(2, size, seed=2)
    masks = train.masks.copy()
    masks[0, :20] = 255
    train = Samples(train.images, masks, train.task)
    table = baselines.color_table(train, val.images, levels=levels, strips=strips)
    assert table.dtype == "float32"
    assert set(np.unique(table)) == {0, 1}
    np.testing.assert_array_equal(table.sum(axis=-1), 1)
    expected = table_reference(train, val.images, levels, strips)
    np.testing.assert_array_equal(table.argmax(axis=-1), expected)


def test_an_unseen_color_gets_the_most_frequent_class_of_its_strip():
    train = worlds.digits(2, 32, seed=0)
    masks = np.full_like(train.masks, 3)
    masks[:, :8], masks[:, 8:16] = 5, 255
    dark = Samples(train.images * 0, masks, train.task)
    answers = baselines.color_table(dark, train.images * 0 + 1, strips=4).argmax(axis=-1)
    assert (answers[:, :8] == 5).all()
    assert (answers[:, 8:] == 3).all()  # a strip of void alone: the most frequent class of all


@pytest.mark.parametrize("argument", ["levels", "strips"])
def test_refuses(argument):
    train = worlds.digits(1, 32)
    with pytest.raises(ValueError, match=f"{argument}=0 must be 1 or more"):
        baselines.color_table(train, train.images, **{argument: 0})
