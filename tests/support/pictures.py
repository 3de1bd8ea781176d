"""Pictures and masks on disk, tiny ones and the real ones."""

import os

import numpy as np
import pytest
from PIL import Image

from segbook import datasets

HERE = datasets.data_root()


def real(folder):
    """Skip a test where the real data set is not on this machine."""
    return pytest.mark.skipif(
        not (os.environ.get("SEGBOOK_DATA") and (HERE / folder).is_dir()),
        reason=f"SEGBOOK_DATA is not set or has no {folder}",
    )


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def jpeg(path, size, value=128):
    save(path, np.full((*size, 3), value, np.uint8))
