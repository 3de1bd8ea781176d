"""Encoders: functional models that give one feature map at each stride, finest first.

Every backbone takes pictures in [0, 1] and has five outputs, at strides 2, 4, 8, 16 and 32; with
"same" padding an input of size `h` gives features of size `ceil(h / stride)`.
"""

import keras
from keras import layers, ops

from segbook.layers import conv_block

VGG16_DEPTHS = (2, 2, 3, 3, 3)
VGG13_DEPTHS = (2, 2, 2, 2, 2)


def small_encoder(input_shape=(None, None, 3), width=16, name="small_encoder"):
    """Make an encoder for laptops: 0.6 million parameters at the default width.

    Five stages of 3x3 convolutions with batch normalisation, each ended by 2x2 max pooling; the
    first stage has one convolution, the others two.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        width: Channels of the first stage; they double up to `8 * width`.
        name: Name of the model.

    Returns:
        A functional model from pictures in [0, 1] to five feature maps at strides 2 to 32 with
        `width * (1, 2, 4, 8, 8)` channels.
    """
    image = keras.Input(input_shape)
    x, features = image, []
    for stage, factor in enumerate((1, 2, 4, 8, 8), start=1):
        for i in range(1 if stage == 1 else 2):
            x = conv_block(x, factor * width, name=f"block{stage}_conv{i + 1}")
        x = layers.MaxPooling2D(2, padding="same", name=f"block{stage}_pool")(x)
        features.append(x)
    return keras.Model(image, features, name=name)


@keras.saving.register_keras_serializable(package="segbook")
class CaffePreprocessing(layers.Layer):
    """Turn RGB in [0, 1] into BGR in [0, 255] less the ImageNet mean, as VGG and ResNet expect.

    Equals `keras.applications.imagenet_utils.preprocess_input(255 * x, mode="caffe")`.
    """

    def call(self, image):
        """Reorder, scale and shift the channels of `(n, h, w, 3)`."""
        mean = ops.convert_to_tensor([103.939, 116.779, 123.68], dtype=self.compute_dtype)
        return ops.flip(image, axis=-1) * 255.0 - mean

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape


def vgg(input_shape=(None, None, 3), width=64, depths=VGG16_DEPTHS, normalize=False, name="vgg"):
    """Make a VGG of any width and depth.

    The layers bear the names of `keras.applications.VGG16`. Pooling has "same" padding, so that
    odd sizes lose nothing; for sizes that are multiples of 32 the result is the same.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        width: Channels of the first block; the paper's 64. They double up to `8 * width`.
        depths: Number of 3x3 convolutions in each of five blocks.
        normalize: Whether batch normalisation follows each convolution.
        name: Name of the model.

    Returns:
        A functional model from pictures to five feature maps, the pooled output of each block, at
        strides 2 to 32 with `width * (1, 2, 4, 8, 8)` channels.
    """
    image = keras.Input(input_shape)
    return keras.Model(image, _vgg_features(image, width, depths, normalize), name=name)


def _vgg_features(x, width, depths, normalize):
    features = []
    for block, (depth, factor) in enumerate(zip(depths, (1, 2, 4, 8, 8), strict=True), start=1):
        for i in range(1, depth + 1):
            x = conv_block(x, factor * width, normalize=normalize, name=f"block{block}_conv{i}")
        x = layers.MaxPooling2D(2, padding="same", name=f"block{block}_pool")(x)
        features.append(x)
    return features


def vgg16(input_shape=(None, None, 3), weights=None, name="vgg16"):
    """Make the VGG-16 of `keras.applications` with its preprocessing inside.

    Args:
        input_shape: `(height, width, 3)`; height and width may be None.
        weights: None for random weights, "imagenet", or the path of a weights file of
            `keras.applications.VGG16(include_top=False)`.
        name: Name of the model.

    Returns:
        A functional model from RGB pictures in [0, 1] to the five pooled feature maps at strides 2
        to 32 with 64, 128, 256, 512 and 512 channels. 14,714,688 parameters.

    Raises:
        ValueError: If weights are asked for and the pictures do not have 3 channels.
        ConnectionError: If the weights cannot be downloaded.
    """
    _check_channels(input_shape, weights, "vgg16")
    image = keras.Input(input_shape)
    x = CaffePreprocessing(name="preprocessing")(image) if input_shape[-1] == 3 else image
    model = keras.Model(image, _vgg_features(x, 64, VGG16_DEPTHS, normalize=False), name=name)
    if weights is not None:
        model.set_weights(_application("VGG16", weights).get_weights())
    return model


def _check_channels(input_shape, weights, name):
    if weights is not None and input_shape[-1] != 3:
        raise ValueError(
            f"input_shape={tuple(input_shape)} has {input_shape[-1]} channels, but the weights "
            f"{weights!r} of {name} need 3 (RGB). Give pictures of 3 channels, or weights=None."
        )


def _application(name, weights, **kwargs):
    """Build a network of `keras.applications` without its classifier."""
    build = getattr(keras.applications, name)
    try:
        return build(include_top=False, weights=weights, **kwargs)
    except Exception as error:
        # Keras reports a failed download as a plain Exception.
        if weights is None or "URL fetch failure" not in str(error):
            raise
        raise ConnectionError(
            f"weights={weights!r} of {name} could not be downloaded: {error}. Connect to the "
            "network once (Keras keeps the file in ~/.keras/models), give the path of a weights "
            "file that you downloaded elsewhere, or use weights=None for random weights."
        ) from error


BUILDERS = {"vgg16": vgg16}


def get_backbone(backbone, input_shape=(None, None, 3), weights=None):
    """Return a backbone by name, or check one that was built already.

    Args:
        backbone: A name, one of `BUILDERS`, or a functional model with five outputs at strides 2,
            4, 8, 16 and 32, such as `small_encoder()` gives.
        input_shape: `(height, width, channels)` of the pictures.
        weights: None, "imagenet" or a path, for a backbone given by name.

    Returns:
        A functional model with five outputs.

    Raises:
        ValueError: If the name is unknown, the model does not have five outputs, or `weights` is
            given with a model.
    """
    if isinstance(backbone, keras.Model):
        if len(backbone.outputs) != 5:
            raise ValueError(
                f"backbone {backbone.name!r} has {len(backbone.outputs)} outputs; it must have "
                "five: features at strides 2, 4, 8, 16 and 32, such as small_encoder() gives."
            )
        if weights is not None:
            raise ValueError(
                f"weights={weights!r} is for a backbone given by name; load the weights of "
                f"{backbone.name!r} before you pass it, and leave weights=None."
            )
        return backbone
    if backbone not in BUILDERS:
        raise ValueError(
            f"backbone={backbone!r} is unknown; it must be one of {sorted(BUILDERS)}, or a "
            "functional model with features at strides 2, 4, 8, 16 and 32."
        )
    return BUILDERS[backbone](input_shape, weights=weights)
