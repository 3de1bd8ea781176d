"""The checks that every layer and every model passes alike.

A layer is wrapped in a small functional model first, so one set of checks serves both.
"""

import contextlib

import keras
import numpy as np
from backends import gradients
from keras import ops

from segbook.samples import VOID

SIZES = ((65, 97), (33, 33))


def picture(height, width, channels=3, batch=2, seed=0):
    """Return random pictures `(batch, height, width, channels)` in [0, 1]."""
    return np.random.default_rng(seed).random((batch, height, width, channels), "float32")


def shake(model, scale=0.05, seed=0):
    """Add noise to every trainable weight, so that none is zero."""
    rng = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        noise = rng.normal(0, scale, weight.shape)
        weight.assign(weight.numpy() + noise.astype("float32"))
    return model


def randomize(model, seed=1):
    """Give every weight random values, scales and variances positive ones; return them by path."""
    rng = np.random.default_rng(seed)
    values = {}
    for weight in model.weights:
        positive = weight.name in ("gamma", "moving_variance")
        value = rng.uniform(0.5, 1.5, weight.shape) if positive else rng.normal(size=weight.shape)
        values[weight.path] = value.astype("float32")
        weight.assign(values[weight.path])
    return values


def flat_layers(model):
    """Return the layers of a model and of the models inside it."""
    found = []
    for layer in model.layers:
        found += flat_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def outputs(model, x, training=False):
    """Return the model's outputs as a list of float32 arrays, whatever its structure."""
    result = model(x, training=training)
    return [
        np.asarray(ops.convert_to_numpy(ops.cast(y, "float32"))) for y in keras.tree.flatten(result)
    ]


def check_sizes(model, sizes=SIZES, dtype="float32", scale=1):
    """Logits have the size of the picture and finite values, for every size and a batch of one.

    `scale` is the largest value of the pictures.
    """
    channels = model.input_shape[-1]
    for height, width in sizes:
        for y in keras.tree.flatten(model(scale * picture(height, width, channels, batch=1))):
            assert tuple(y.shape)[:3] == (1, height, width)
            assert keras.backend.standardize_dtype(y.dtype) == dtype
            assert np.isfinite(ops.convert_to_numpy(y)).all()


def check_round_trip(model, path, size=(33, 33)):
    """A saved model loads without custom objects and gives the same outputs."""
    shake(model)
    x = picture(*size, model.input_shape[-1])
    file = path / "model.keras"
    model.save(file)
    loaded = keras.saving.load_model(file)
    for before, after in zip(outputs(model, x), outputs(loaded, x), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5)


@contextlib.contextmanager
def policy(name):
    """Set Keras's type policy; for "float64" the type of inputs and constants too."""
    before = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy(name)
    keras.config.set_floatx("float64" if name == "float64" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before[0])
        keras.config.set_floatx(before[1])


def check_mixed_precision(build, size=(33, 33), *, precision="mixed_bfloat16"):
    """In half precision weights and logits are float32, and large features do not overflow."""
    with policy(precision):
        model = build()
    half = keras.DTypePolicy(precision).compute_dtype
    assert half in {layer.compute_dtype for layer in flat_layers(model) if layer.weights}
    assert {str(w.dtype) for w in model.trainable_variables} == {"float32"}
    # Features of some hundreds: products of two of them pass 65504, where float16 ends.
    check_sizes(shake(model), [size], scale=300)


def check_gradients(model, size=(33, 33), still=()):
    """Every trainable weight has a gradient that is finite and not zero.

    `still` names weights that cannot have one, by a part of their path.
    """
    shake(model)
    x = picture(*size, model.input_shape[-1])
    rng = np.random.default_rng(1)

    def loss():
        total = 0.0
        for y in keras.tree.flatten(model(x, training=True)):
            weights = rng.normal(size=tuple(y.shape)).astype("float32")
            total = total + ops.sum(ops.multiply(ops.cast(y, "float32"), weights))
        return total

    for weight, gradient in zip(
        model.trainable_variables,
        gradients(loss, model.trainable_variables),
        strict=True,
    ):
        assert np.isfinite(gradient).all(), weight.path
        if not any(part in weight.path for part in still):
            assert np.abs(gradient).max() > 0, f"no gradient reaches {weight.path}"


def check_learns(model, size=(33, 33), steps=2):
    """A few steps on one batch lower the loss on that batch."""
    x = picture(*size, model.input_shape[-1])
    classes = keras.tree.flatten(model.output)[0].shape[-1]
    mask = (x[..., 0] * classes).astype("int32")
    model.compile(keras.optimizers.Adam(1e-3), _losses(model))
    model.optimizer.build(model.trainable_variables)  # or TensorFlow would trace the step twice
    targets = [mask for _ in model.outputs]
    targets = targets[0] if len(targets) == 1 else targets
    losses = [float(np.ravel(model.train_on_batch(x, targets))[0]) for _ in range(steps + 1)]
    assert losses[-1] < losses[0], losses


def _losses(model):
    losses = [
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=VOID)
        for _ in model.outputs
    ]
    return losses[0] if len(losses) == 1 else losses


def count(model):
    """Return (trainable, all) parameters."""
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_variables)
    return trainable, model.count_params()
