"""Detection: boxes, priors, the loss of SSD, suppression, average precision."""

from segbook.detection.boxes import box_iou, boxes_of_mask, check_boxes
from segbook.detection.crops import cut, paste
from segbook.detection.finding import Found, find, suppress
from segbook.detection.loss import SSDLoss
from segbook.detection.precision import Ranking, average_precision, rank
from segbook.detection.priors import VARIANCES, decode, encode, match, prior_boxes

__all__ = [
    "VARIANCES",
    "Found",
    "Ranking",
    "SSDLoss",
    "average_precision",
    "box_iou",
    "boxes_of_mask",
    "check_boxes",
    "cut",
    "decode",
    "encode",
    "find",
    "match",
    "paste",
    "prior_boxes",
    "rank",
    "suppress",
]
