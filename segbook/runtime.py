"""Quiet start-up, seeds, and the device in use."""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def _stderr_of_native_code_held_back():
    """Hold back what C++ code writes to stderr; show it after all if the block fails."""
    if sys.stderr is None:  # a daemon, or pythonw
        yield
        return
    sys.stderr.flush()
    original = os.dup(2)
    try:
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            except BaseException:
                held.seek(0)
                os.write(original, held.read())
                raise
            finally:
                os.dup2(original, 2)
    finally:
        os.close(original)


def import_keras_quietly() -> None:
    """Import Keras and its backend without the backend's log lines on stderr.

    TensorFlow logs from C++ while it loads, before any Python setting can reach it. Errors are
    shown: a failed import prints what was held back. Set `TF_CPP_MIN_LOG_LEVEL` to see later
    messages of TensorFlow. Does nothing when Keras is imported already.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _stderr_of_native_code_held_back():
        import keras  # noqa: F401


def start(seed: int = 0, *, threads: int | None = None) -> str:
    """Seed every random generator and say which device Keras computes on.

    On a GPU, TensorFlow is told to take memory as it needs it rather than all at once. Its advice
    against compiling again, which is meant for functions of your own, is left out where Keras
    compiles for another model or size of input.

    Args:
        seed: The seed of Python, NumPy and the Keras backend.
        threads: How many threads TensorFlow may use for one operation. Small networks are faster
            with 1. None leaves it to TensorFlow, and the environment variable
            `TF_NUM_INTRAOP_THREADS` decides before both. Counts only before the first computation.

    Returns:
        One line such as `"tensorflow on 2 CPU cores"` or `"jax on 1 GPU"`.

    Raises:
        ValueError: If there is to be no thread.
    """
    import keras

    from segbook.backend import gpu_count

    if threads is not None and threads < 1:
        raise ValueError(f"threads={threads} must be 1 or more, or None.")
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.get_logger().addFilter(_is_no_advice_to_keras)
        if threads and "TF_NUM_INTRAOP_THREADS" not in os.environ:
            # TensorFlow refuses once it has computed, such as when a cell is run again.
            with contextlib.suppress(RuntimeError):
                tf.config.threading.set_intra_op_parallelism_threads(threads)
    keras.utils.set_random_seed(seed)
    gpus = gpu_count()
    if gpus:
        return f"{backend} on {gpus} GPU{'s' if gpus > 1 else ''}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{backend} on {cores} CPU core{'s' if cores > 1 else ''}"


def _is_no_advice_to_keras(record):
    message = record.getMessage()
    return not ("TensorFlowTrainer" in message and "triggered tf.function retracing" in message)
