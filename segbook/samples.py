"""Pictures, their masks and the task they belong to: what every world and data set returns."""

from dataclasses import dataclass, fields, replace

import numpy as np

VOID = 255


@dataclass(frozen=True, eq=False)
class Task:
    """The classes of a segmentation problem; equal where all three are.

    Args:
        class_names: One name a class; a class's id is its position.
        palette: uint8 array `(num_classes, 3)`, the RGB colour of each class.
        void: The mask value that means "no label here".
    """

    class_names: tuple[str, ...]
    palette: np.ndarray
    void: int = VOID

    @property
    def num_classes(self) -> int:
        """The number of classes, void not counted."""
        return len(self.class_names)

    def __eq__(self, other):
        return (
            isinstance(other, Task)
            and (self.class_names, self.void) == (other.class_names, other.void)
            and np.array_equal(self.palette, other.palette)
        )

    def __hash__(self):
        return hash((self.class_names, self.void))


@dataclass(frozen=True, eq=False)
class Samples:
    """Pictures with their masks; what a subclass adds has one entry a picture, as these have.

    Args:
        images: float32 array `(count, height, width, 3)` with values in [0, 1].
        masks: uint8 array `(count, height, width)` of class ids, or `task.void` where unlabelled.
        task: The classes that the ids stand for.
        names: Array of text `(count,)`: where each picture is in its data set, as a path from the
            folder without the extension, such as "alice/001"; None for what is drawn.
    """

    images: np.ndarray
    masks: np.ndarray
    task: Task
    names: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index) -> "Samples":
        """Select samples by a slice, an index array or a boolean array."""
        if isinstance(index, int | np.integer):
            index = [index]
        arrays = {each.name: getattr(self, each.name) for each in fields(self)}
        chosen = {
            name: array[index]
            for name, array in arrays.items()
            if name != "task" and array is not None
        }
        return replace(self, **chosen)
