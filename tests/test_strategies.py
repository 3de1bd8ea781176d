"""Two devices train as one does: TensorFlow's MirroredStrategy and Keras's DataParallel on JAX."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(BACKEND == "torch", reason="Keras has no strategy for PyTorch")


def trained(*arguments):
    """Run the program that trains on two devices."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "support/strategies.py"), *arguments],
        capture_output=True,
        env=os.environ | {"KERAS_BACKEND": BACKEND},
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def same(found, expected):
    """Compare the weights and scores of every head."""
    assert found.keys() == expected.keys()
    for head in found:
        np.testing.assert_allclose(found[head], expected[head], rtol=1e-4, atol=1e-6, err_msg=head)


def test_two_devices_train_as_one():
    for run in trained().values():
        same(run["two"], run["one"])


@pytest.mark.slow
def test_every_loss_trains_alike_and_replicas_count_alike():
    runs = trained("all")
    uneven = runs.pop("uneven")
    assert len(runs) == 2
    for run in runs.values():
        same(run["two"], run["one"])
    # A TensorFlow replica takes the mean of its part of the batch; JAX's devices share one.
    if BACKEND == "tensorflow":
        same(uneven["two"], uneven["halves"])
        difference = np.subtract(uneven["two"]["cross_entropy"], uneven["one"]["cross_entropy"])
        assert np.abs(difference).max() > 1e-3
    else:
        same(uneven["two"], uneven["one"])
