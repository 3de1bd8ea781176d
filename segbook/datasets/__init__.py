"""Real data: where it lies, how it is read, and errors that say what is wrong with it."""

from segbook.checks import DataError
from segbook.datasets.driving import camvid
from segbook.datasets.files import MissingData, data_root

__all__ = ["DataError", "MissingData", "camvid", "data_root"]
