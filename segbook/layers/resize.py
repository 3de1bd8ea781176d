"""Bilinear up-sampling, fixed or learnt, and cropping to another's size."""

import keras
import numpy as np
from keras import layers, ops

from segbook.layers.precision import widen


@keras.saving.register_keras_serializable(package="segbook")
class BilinearInitializer(keras.initializers.Initializer):
    """Initialise a transposed convolution as bilinear up-sampling of each channel.

    For an even stride `s` the kernel has size `2s`, for an odd one `2s - 1`: then the enlarged
    pixels lie where those of a resize lie. With "same" padding the result equals a bilinear resize
    except within `s / 2` samples of the border, where the convolution sees zeros and the resize
    repeats the edge. FCN (Long, Shelhamer and Darrell, 2015), section 3.3; the sizes are those of
    Caffe's `BilinearFiller`.
    """

    def __call__(self, shape, dtype=None):
        """Return the kernel.

        Args:
            shape: `(height, width, channels out, channels in)`.
            dtype: Type of the kernel; float32 by default.

        Returns:
            A kernel that connects each channel to itself only.

        Raises:
            ValueError: If height or width is `2s` of no even stride and `2s - 1` of no odd one.
        """
        height, width, channels_out, channels_in = shape
        plane = np.outer(_triangle(height), _triangle(width))
        kernel = plane[:, :, None, None] * np.eye(channels_out, channels_in)
        return ops.convert_to_tensor(kernel, dtype=dtype or "float32")

    def get_config(self):
        """Return the (empty) configuration."""
        return {}


def _kernel_size(stride):
    return 2 * stride - stride % 2


def _triangle(size):
    stride = (size + 1) // 2
    if size < 1 or size != _kernel_size(stride):
        raise ValueError(
            f"a kernel of size {size} is bilinear for no stride: it must be 2s for an even stride "
            "s, or 2s - 1 for an odd one, such as 4, 5, 8, 9 or 12."
        )
    centre = (size - 1) / 2
    return 1 - np.abs(np.arange(size) - centre) / stride


def bilinear_transposed(channels, stride, *, trainable=True, dtype=None, name=None):
    """Make a transposed convolution that starts as bilinear up-sampling by `stride`.

    Args:
        channels: Number of channels in and out.
        stride: Factor of the up-sampling, 2 or more. The kernel has size `2 stride`, less one if
            the stride is odd, so that "same" padding keeps it centred.
        trainable: Whether the kernel is learnt; False keeps it bilinear.
        dtype: Type policy of the layer; "float32" for a head under mixed precision.
        name: Name of the layer.

    Returns:
        A layer from `(n, h, w, channels)` to `(n, stride h, stride w, channels)`.

    Raises:
        ValueError: If `stride` is no whole number, or less than 2.
    """
    if stride != int(stride) or stride < 2:
        raise ValueError(f"stride={stride} must be a whole number, 2 or more.")
    return layers.Conv2DTranspose(
        channels,
        _kernel_size(stride),
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=BilinearInitializer(),
        trainable=trainable,
        dtype=dtype,
        name=name,
    )


def _spatial(x):
    """Return height and width as integers where they are known, else as tensors."""
    return ops.shape(x)[1:3]


def _bilinear(size_out, size_in, dtype):
    """Return the share of each sample in each resized sample, `(size_out, size_in)`."""
    scale = ops.cast(size_in, dtype) / ops.cast(size_out, dtype)
    place = (ops.cast(ops.arange(size_out), dtype) + 0.5) * scale - 0.5
    place = ops.clip(place, 0.0, ops.cast(size_in - 1, dtype))
    sample = ops.cast(ops.arange(size_in), dtype)
    return ops.relu(1.0 - ops.abs(place[:, None] - sample[None, :]))


@keras.saving.register_keras_serializable(package="segbook")
class ResizeLike(layers.Layer):
    """Resize features bilinearly to the height and width of a second input.

    Half-pixel centres, no antialiasing, as in torchvision; the authors' codes of DeepLab, PSPNet,
    DANet, CCNet and OCRNet align the corners instead. Computed in float32 as a product with one
    matrix a direction, which TensorFlow's XLA gets right where its own resize fails. Call it on
    `[x, like]`, shapes `(n, h, w, c)` and `(n, H, W, any)`; the result is `(n, H, W, c)`.
    """

    def call(self, inputs):
        """Resize the first input to the size of the second."""
        x, like = inputs
        x = widen(x)
        height, width = _spatial(like)
        rows, columns, channels = ops.shape(x)[1:]
        # Along the width first, while there are few rows.
        resized = ops.matmul(_bilinear(width, columns, x.dtype), x)
        resized = ops.reshape(resized, (-1, rows, width * channels))
        resized = ops.matmul(_bilinear(height, rows, x.dtype), resized)
        resized = ops.reshape(resized, (-1, height, width, channels))
        return ops.cast(resized, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Return the shape of the resized features."""
        x, like = input_shape
        return (x[0], *like[1:3], x[3])


@keras.saving.register_keras_serializable(package="segbook")
class CropLike(layers.Layer):
    """Crop features to the height and width of a second input.

    Call it on `[x, like]`, shapes `(n, h, w, c)` and `(n, H, W, any)` with `h + margin >= H`,
    `w + margin >= W`; the result is `(n, H, W, c)`.

    Args:
        centered: True keeps the centre, as the skips of the original U-Net do. False keeps the top
            left corner: what up-sampling needs after pooling with "same" padding, which pads odd
            sizes at the bottom and right.
        margin: Times that the last row and column are repeated before the crop, for features of an
            encoder that rounds odd sizes down.
    """

    window = (1, 1, 1)  # kernel, stride and dilation, for receptive fields

    def __init__(self, *, centered=False, margin=0, **kwargs):
        super().__init__(**kwargs)
        self.centered = centered
        self.margin = margin

    def call(self, inputs):
        """Crop the first input to the size of the second."""
        x, like = inputs
        height, width = _spatial(like)
        top, left = 0, 0
        if self.centered:
            full_height, full_width = _spatial(x)
            top, left = (full_height - height) // 2, (full_width - width) // 2
        if self.margin:
            x = ops.concatenate([x, ops.repeat(x[:, -1:], self.margin, axis=1)], axis=1)
            x = ops.concatenate([x, ops.repeat(x[:, :, -1:], self.margin, axis=2)], axis=2)
        return x[:, top : top + height, left : left + width, :]

    def compute_output_shape(self, input_shape):
        """Return the shape of the cropped features."""
        x, like = input_shape
        return (x[0], *like[1:3], x[3])

    def get_config(self):
        """Return the configuration of the layer."""
        return {**super().get_config(), "centered": self.centered, "margin": self.margin}


def resize_to(x, like, *, name=None):
    """Resize `x` bilinearly to the size of `like`, in the current type policy.

    Args:
        x: Features `(n, h, w, c)`.
        like: Features `(n, H, W, any)`.
        name: Name of the layer.

    Returns:
        Features `(n, H, W, c)`.
    """
    return ResizeLike(name=name)([x, like])


def crop_to(x, like, *, margin=0, name=None):
    """Crop `x` at the bottom and right to the size of `like`.

    Args:
        x: Features `(n, h, w, c)` with `h + margin >= H` and `w + margin >= W`.
        like: Features `(n, H, W, any)`.
        margin: Times that the last row and column of `x` are repeated before the crop.
        name: Name of the layer.

    Returns:
        Features `(n, H, W, c)`.
    """
    return CropLike(margin=margin, name=name)([x, like])


def center_crop_to(x, like, *, name=None):
    """Crop `x` on all sides to the size of `like`.

    Args:
        x: Features `(n, h, w, c)` with `h >= H` and `w >= W`.
        like: Features `(n, H, W, any)`.
        name: Name of the layer.

    Returns:
        Features `(n, H, W, c)`.
    """
    return CropLike(centered=True, name=name)([x, like])


def logits_like(x, like, *, name="logits"):
    """Resize logits bilinearly to the size of the picture, in float32 under any type policy.

    Args:
        x: Logits `(n, h, w, num_classes)`.
        like: The picture `(n, H, W, any)`.
        name: Name of the layer.

    Returns:
        float32 logits `(n, H, W, num_classes)`.
    """
    return ResizeLike(dtype="float32", name=name)([x, like])
