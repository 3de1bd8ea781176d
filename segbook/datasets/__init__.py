"""Real data: where it lies, how it is read, and errors that say what is wrong with it."""

from segbook.datasets.driving import camvid
from segbook.datasets.files import MissingData, data_root
from segbook.validation import DataError

__all__ = ["DataError", "MissingData", "camvid", "data_root"]
