"""A quiet start, seeds, and the name of the device."""

import logging
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from segbook import runtime

BACKEND = keras.backend.backend()
TRAIN = """
from segbook import backbones, losses, models, runtime
device = runtime.start()
import numpy as np
model = models.fcn(2, backbone=backbones.small_encoder(width=2))
model.compile("sgd", losses.CrossEntropy())
for size in (32, 40, 48, 56, 64, 72):
    model.predict(np.zeros((1, size, size, 3), "float32"), verbose=0)
model.fit(np.zeros((1, 32, 32, 3)), np.zeros((1, 32, 32), "int32"), verbose=0)
"""


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True
    )


def test_import_and_training_write_nothing():
    done = run_python(TRAIN)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_import_without_stderr_and_without_touching_loggers():
    """As a daemon starts, and pythonw on Windows."""
    code = (
        "import segbook, logging; logger = logging.getLogger('tensorflow'); "
        "print(logger.filters, logger.isEnabledFor(logging.WARNING))"
    )
    done = subprocess.run(
        ["sh", "-c", '"$@" 2>&-', "sh", sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "[] True\n")


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's logger")
def test_tensorflow_gives_its_advice_to_you_and_not_to_keras():
    import tensorflow as tf

    class Notes(logging.Handler):
        def emit(self, record):
            said.append(record.getMessage())

    runtime.start()
    said, notes = [], Notes()
    tf.get_logger().addHandler(notes)
    try:
        for _ in range(8):
            keras.Sequential([keras.layers.Flatten()]).predict(np.zeros((1, 2)), verbose=0)
        assert said == []
        grow = tf.function(lambda x: x + 1)
        for i in range(8):
            grow(i)
    finally:
        tf.get_logger().removeHandler(notes)
    assert said
    assert all("triggered tf.function retracing" in message for message in said)


def test_a_failed_import_shows_what_was_held_back():
    done = run_python("import segbook", KERAS_BACKEND="none")
    assert done.returncode != 0
    assert "none" in done.stderr


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow is the backend")
def test_other_backends_do_not_import_tensorflow():
    done = run_python("import segbook, sys; print('tensorflow' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


def test_start_names_backend_and_device():
    assert re.fullmatch(rf"{BACKEND} on \d+ (CPU cores?|GPUs?)", runtime.start())


def test_start_seeds_numpy_and_keras():
    draws = []
    for seed in (3, 3, 4):
        runtime.start(seed)
        weights = keras.ops.convert_to_numpy(keras.initializers.GlorotUniform()((2, 2)))
        draws.append(np.append(weights, np.random.random(4)))  # noqa: NPY002
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.isclose(draws[0], draws[2]).any()


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the threads are TensorFlow's")
@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [("", {}, "0"), ("threads=1", {}, "1"), ("threads=1", {"TF_NUM_INTRAOP_THREADS": "2"}, "0")],
)
def test_start_sets_the_threads_of_an_operation(monkeypatch, arguments, environment, expected):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    code = f"from segbook import runtime; runtime.start({arguments}); runtime.start({arguments})"
    code += "\nimport tensorflow as tf; tf.zeros(1)"
    code += f"\nruntime.start({arguments})"
    code += "\nprint(tf.config.threading.get_intra_op_parallelism_threads())"
    done = run_python(code, **environment)
    assert done.stdout.split() == [expected], done.stderr


def test_start_needs_a_thread():
    with pytest.raises(ValueError, match="threads=0 must be 1 or more, or None"):
        runtime.start(threads=0)
