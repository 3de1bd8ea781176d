"""Tasks can be compared, and samples selected."""

from dataclasses import replace

import numpy as np
import pytest

from segbook.samples import Samples, Task

PALETTE = np.array([[0, 0, 0], [9, 8, 7]], np.uint8)
TASK = Task(("a", "b"), PALETTE)


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        (Task(("a", "b"), PALETTE.copy()), True),
        (replace(TASK, class_names=("a", "c")), False),
        (replace(TASK, palette=PALETTE + 1), False),
        (replace(TASK, palette=PALETTE[:1]), False),
        (replace(TASK, void=0), False),
        ("a, b", False),
    ],
)
def test_tasks_are_equal_where_all_is(other, equal):
    assert (other == TASK) is equal
    assert (other != TASK) is not equal
    assert (other in {TASK}) is equal


def test_samples_are_equal_to_themselves_alone():
    samples = Samples(np.zeros((2, 3, 4, 3), np.float32), np.zeros((2, 3, 4), np.uint8), TASK)
    assert samples == samples
    assert samples != replace(samples)


@pytest.mark.parametrize("index", [1, np.int64(1), slice(1, 2), [1], np.array([False, True])])
def test_one_of_two_samples(index):
    images = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)
    names = np.array(["a", "b/c"])
    part = Samples(images, images[..., 0].astype(np.uint8), TASK, names)[index]
    np.testing.assert_array_equal(part.images, images[1:])
    np.testing.assert_array_equal(part.masks, images[1:, :, :, 0])
    assert len(part) == 1
    assert part.task is TASK
    assert part.names.tolist() == ["b/c"]
    assert replace(part, names=None)[0].names is None
