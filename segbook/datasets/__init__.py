"""Real data: where it lies, how it is read, and errors that say what is wrong with it."""

from segbook.datasets.coco import coco
from segbook.datasets.driving import camvid, cityscapes
from segbook.datasets.faces import fasseg, fasseg_blends
from segbook.datasets.fetch import DownloadError
from segbook.datasets.files import MissingData, data_root
from segbook.datasets.lazy import Lazy
from segbook.datasets.microscopy import isbi2012
from segbook.datasets.own import folder
from segbook.datasets.oxford import download_pets, pets
from segbook.datasets.pascal import Box, download_sbd, download_voc, voc, voc_boxes, voc_colors
from segbook.datasets.statistics import Statistics, statistics
from segbook.validation import DataError

__all__ = [
    "Box",
    "DataError",
    "DownloadError",
    "Lazy",
    "MissingData",
    "Statistics",
    "camvid",
    "cityscapes",
    "coco",
    "data_root",
    "download_pets",
    "download_sbd",
    "download_voc",
    "fasseg",
    "fasseg_blends",
    "folder",
    "isbi2012",
    "pets",
    "statistics",
    "voc",
    "voc_boxes",
    "voc_colors",
]
