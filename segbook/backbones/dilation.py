"""Turn strides into dilation: the same weights, computing at more places."""

import keras
from keras import layers


def rebuild(model, changes):
    """Return the model with changed layers and the same weights."""
    shortcuts = [
        layer.name
        for layer in model.layers
        if isinstance(layer, layers.Conv2D) and layer.kernel_size == (1, 1) != layer.strides
    ]

    def clone(layer):
        key = layer.name
        if key in shortcuts and key not in changes:
            key = shortcuts.index(key)
        change = changes.get(key, {})
        if isinstance(change, layers.Layer):
            return change
        return type(layer).from_config(layer.get_config() | change)

    changed = keras.models.clone_model(model, clone_function=clone)
    changed.set_weights(model.get_weights())
    return changed
