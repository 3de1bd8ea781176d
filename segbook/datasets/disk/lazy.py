"""An array that is read from disk as it is used."""

import numpy as np


class Lazy:
    """Pictures or masks that are read when they are asked for, so they may exceed the memory.

    A whole number gives one array; a slice, an index array or a boolean array gives a `Lazy` again;
    `np.asarray` reads everything.

    Args:
        read: Function from a position in `rows` to an array of shape `item_shape`.
        rows: The positions that this array has, in its order.
        item_shape: Shape of one item.
        dtype: Their dtype.
    """

    def __init__(self, read, rows, item_shape, dtype):
        self._read = read
        self._rows = np.asarray(rows, dtype=np.intp)
        self.shape = (len(self._rows), *item_shape)
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self):
        """Number of axes."""
        return len(self.shape)

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, index):
        rows = self._rows[index]
        if np.ndim(rows) == 0:
            return self._read(int(rows))
        return Lazy(self._read, rows, self.shape[1:], self.dtype)

    def __array__(self, dtype=None, copy=None):
        result = np.empty(self.shape, dtype or self.dtype)
        for position, row in enumerate(self._rows):
            result[position] = self._read(int(row))
        return result
