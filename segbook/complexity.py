"""What a model costs and how far it sees: parameters, multiply-adds, memory, receptive fields."""

import math
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from segbook.backend import gradient


@dataclass(frozen=True)
class Cost:
    """The cost of one picture's way through a model.

    Args:
        parameters: Number of weights, those that are not trained included.
        multiply_adds: Multiplications, each with its addition, of convolutions, dense layers and
            attention. Normalisation, activations, pooling and resizing count nothing.
        activation_bytes: Sum of the sizes of all layers' outputs, in bytes: about what training
            keeps for the gradient.
    """

    parameters: int
    multiply_adds: int
    activation_bytes: int


@dataclass(frozen=True)
class ReceptiveField:
    """What one place of a layer sees of the picture.

    Args:
        height: In pixels.
        width: In pixels.
        stride: Distance between two neighbouring places' fields, in pixels; the larger one where
            those along height and width differ.
    """

    height: int
    width: int
    stride: int

    @property
    def size(self) -> int:
        """The longer side, in pixels."""
        return max(self.height, self.width)


class _Probe(keras.Operation):
    """Stands for a layer in a copy of a model that computes shapes and nothing else."""

    def __init__(self, layer, visit):
        super().__init__(name=layer.name)
        self.layer = layer
        self.visit = visit

    def compute_output_spec(self, *args, **kwargs):
        if not isinstance(self.layer, keras.Model):
            outputs = self.layer.compute_output_spec(*args, **kwargs)
            self.visit(self.layer, (*args, *_tensors(kwargs)), outputs)
            return outputs
        inputs = keras.tree.map_structure(
            lambda x: _carry(x, keras.Input(batch_shape=x.shape, dtype=x.dtype)), args[0]
        )
        return keras.tree.map_structure(
            lambda x: _carry(x, keras.KerasTensor(x.shape, x.dtype)),
            _walk(self.layer, inputs, self.visit),
        )


def _tensors(arguments):
    return [value for value in arguments.values() if isinstance(value, keras.KerasTensor)]


def _carry(old, new):
    """Hand what a visitor noted on a symbolic tensor over to another."""
    if hasattr(old, "field"):
        new.field = old.field
    return new


def _walk(model, inputs, visit):
    """Call `visit(layer, inputs, outputs)` with the shapes at each layer; make no weights."""
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0])
    copy = keras.models.clone_model(
        model, input_tensors=inputs, clone_function=lambda layer: _Probe(layer, visit)
    )
    return copy.output


def _input(model, size):
    height, width = (size, size) if isinstance(size, int) else size
    return keras.Input((height, width, model.input_shape[-1]), batch_size=1)


def cost(model, size):
    """Count what one picture costs, without computing anything.

    Args:
        model: A functional model with one input, of shape `(n, h, w, channels)`.
        size: Height and width of the picture in pixels, or one number for both.

    Returns:
        A `Cost`.

    Raises:
        TypeError: If a layer has weights and it is unknown how many multiply-adds it makes.
    """
    multiply_adds = activations = 0

    def visit(layer, args, outputs):
        nonlocal multiply_adds, activations
        shapes = keras.tree.map_structure(lambda x: tuple(x.shape), args)
        multiply_adds += _multiply_adds(layer, shapes, keras.tree.flatten(outputs)[0].shape)
        for output in keras.tree.flatten(outputs):
            activations += math.prod(output.shape) * _BYTES[output.dtype]

    _walk(model, _input(model, size), visit)
    return Cost(model.count_params(), multiply_adds, activations)


_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4}

_FREE = (
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.GroupNormalization,
    layers.Normalization,
)


def _multiply_adds(layer, shapes, output):
    if hasattr(layer, "multiply_adds"):
        return layer.multiply_adds(shapes[0])
    if isinstance(layer, layers.MultiHeadAttention):
        return _attention_multiply_adds(layer, output, *shapes)
    if isinstance(layer, layers.Conv2DTranspose):
        return math.prod(shapes[0][:3]) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.SeparableConv2D):
        depthwise, pointwise = layer.depthwise_kernel.shape, layer.pointwise_kernel.shape
        return math.prod(output[:3]) * (math.prod(depthwise) + math.prod(pointwise))
    if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
        return math.prod(output[:3]) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.Dense):
        return math.prod(output) * layer.kernel.shape[0]
    if getattr(layer, "weights", ()) and not isinstance(layer, _FREE):
        raise TypeError(
            f"layer {layer.name!r} ({type(layer).__name__}) has weights, but it is unknown how "
            "many multiply-adds it makes. Give the class a method multiply_adds(input_shapes)."
        )
    return 0


def _attention_multiply_adds(layer, output, query, value, key=None):
    """Count the four projections, the scores and the sums that they weight."""
    key = key or value
    inner, inner_value = layer.num_heads * layer.key_dim, layer.num_heads * layer.value_dim
    places, keys = math.prod(query[:-1]), math.prod(value[:-1])
    queries_and_outputs = places * (query[-1] * inner + inner_value * output[-1])
    keys_and_values = keys * (key[-1] * inner + value[-1] * inner_value)
    attended = places * math.prod(value[1:-1]) * (inner + inner_value)
    return queries_and_outputs + keys_and_values + attended


def receptive_field(model, layer=None):
    """Compute the theoretical receptive field of a layer.

    Where paths meet, the widest counts. From the picture on, a layer with kernel `k`, dilation `d`
    and stride `s` adds `(k - 1) d` times the stride so far, then multiplies that stride by `s`.

    Args:
        model: A functional or sequential model with one input.
        layer: Name of the layer; None for the model's last.

    Returns:
        A `ReceptiveField`.

    Raises:
        ValueError: If the model has no such layer, or a layer on the way has no fixed field:
            global pooling, attention, up-sampling.
    """
    fields = {}

    def visit(step, args, outputs):
        # Size and stride along each of the two axes.
        known = [getattr(x, "field", ((1, 1), (1, 1))) for x in keras.tree.flatten(args)]
        # A name in place of a field says which layer ended the fixed fields.
        endings = [field for field in known if isinstance(field, str)]
        widest = None if endings else [max(axis) for axis in zip(*known, strict=True)]
        field = endings[0] if endings else _extend(widest, step)
        for output in keras.tree.flatten(outputs):
            output.field = field
        fields[step.name] = field

    _walk(model, _input(model, 256), visit)
    name = layer or next(reversed(fields))
    if name not in fields:
        raise ValueError(f"layer={layer!r} is not in the model; it has {', '.join(fields)}.")
    field = fields[name]
    if isinstance(field, str):
        raise ValueError(
            f"layer={name!r} has no fixed receptive field, since {field!r} comes before it. Choose "
            "a layer before that one, or measure with effective_receptive_field."
        )
    (height, down), (width, across) = field
    return ReceptiveField(height, width, max(down, across))


def _extend(field, layer):
    """Return (size, stride) along each axis after a layer, or its name when there is no field."""
    if hasattr(layer, "window"):
        windows = [layer.window] * 2
    elif isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.SeparableConv2D):
        windows = zip(layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    elif isinstance(layer, layers.MaxPooling2D | layers.AveragePooling2D):
        windows = zip(layer.pool_size, layer.strides, (1, 1), strict=True)
    elif isinstance(layer, _POINTWISE):
        return field
    else:
        return layer.name
    return [
        (size + (kernel - 1) * dilation * step, step * stride)
        for (size, step), (kernel, stride, dilation) in zip(field, windows, strict=True)
    ]


_POINTWISE = (
    *_FREE,
    layers.Activation,
    layers.ReLU,
    layers.Dropout,
    layers.Rescaling,
    layers.ZeroPadding2D,
    layers.Add,
    layers.Concatenate,
    layers.Multiply,
)


def effective_receptive_field(model, size, *, samples=8, seed=0):
    """Measure how much each pixel moves the output at the centre.

    Luo et al., 2016, section 3.1: the gradient of the centre's output, all channels added, by the
    picture; here its absolute value, averaged over pictures of noise.

    Args:
        model: A model with one input `(n, h, w, channels)` and one output `(n, h', w', c)`.
        size: Height and width of the pictures in pixels, or one number for both.
        samples: Number of pictures.
        seed: Seed of the noise.

    Returns:
        float32 array `(h, w)`, 1 at its maximum; zeros where no pixel moves the output.
    """
    height, width = (size, size) if isinstance(size, int) else size
    shape = (samples, height, width, model.input_shape[-1])
    pictures = np.random.default_rng(seed).random(shape, "float32")

    def centre(x):
        y = model(x, training=False)
        return ops.sum(ops.cast(y[:, y.shape[1] // 2, y.shape[2] // 2], "float32"))

    influence = np.abs(gradient(centre, pictures)).mean(axis=(0, 3))
    return influence / max(influence.max(), np.finfo("float32").tiny)
