"""Real data: where it lies, how it is read, and errors that say what is wrong with it."""

from segbook.datasets.camvid import camvid, camvid_frames, download_camvid
from segbook.datasets.cityscapes import cityscapes
from segbook.datasets.coco import coco
from segbook.datasets.coco_instances import coco_instances
from segbook.datasets.disk.errors import DataError, DownloadError
from segbook.datasets.disk.find import MissingData, data_root
from segbook.datasets.disk.lazy import Lazy
from segbook.datasets.fasseg import download_fasseg, fasseg, fasseg_blends
from segbook.datasets.folder import folder, folder_blends
from segbook.datasets.isbi2012 import download_isbi2012, isbi2012
from segbook.datasets.labelme import labelme
from segbook.datasets.pets import download_pets, pets
from segbook.datasets.split import split_by_group
from segbook.datasets.statistics import Statistics, statistics
from segbook.datasets.voc import Box, download_sbd, download_voc, voc, voc_boxes, voc_colors

__all__ = [
    "Box",
    "DataError",
    "DownloadError",
    "Lazy",
    "MissingData",
    "Statistics",
    "camvid",
    "camvid_frames",
    "cityscapes",
    "coco",
    "coco_instances",
    "data_root",
    "download_camvid",
    "download_fasseg",
    "download_isbi2012",
    "download_pets",
    "download_sbd",
    "download_voc",
    "fasseg",
    "fasseg_blends",
    "folder",
    "folder_blends",
    "isbi2012",
    "labelme",
    "pets",
    "split_by_group",
    "statistics",
    "voc",
    "voc_boxes",
    "voc_colors",
]
