"""An encoder for laptops."""

import keras
from keras import layers

from segbook.backbones.arguments import STRIDES, check_output_stride
from segbook.layers.blocks import conv_block
from segbook.layers.pooling import DilatedMaxPooling


def small_encoder(input_shape=(None, None, 3), *, width=16, output_stride=32, name="small_encoder"):
    """Make an encoder for laptops: 0.6 million parameters at the default width.

    Five stages of 3x3 convolutions with batch normalisation, each ended by 2x2 max pooling; the
    first stage has one convolution, the others two. Sizes are rounded up. With a smaller output
    stride the same weights compute the same features at more places: pooling and the convolutions
    after it are dilated instead.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        width: Channels of the first stage; they double up to `8 * width`.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        name: Name of the model.

    Returns:
        A functional model from pictures in [0, 1] to five feature maps with
        `width * (1, 2, 4, 8, 8)` channels.

    Raises:
        ValueError: If the output stride is none of these.
    """
    check_output_stride(output_stride, (32, 16, 8), "small_encoder")
    image = keras.Input(input_shape)
    x, features, dilation = image, [], 1
    for stage, (factor, stride) in enumerate(zip((1, 2, 4, 8, 8), STRIDES, strict=True), start=1):
        for i in range(1 if stage == 1 else 2):
            x = conv_block(x, factor * width, dilation=dilation, name=f"block{stage}_conv{i + 1}")
        if stride > output_stride:
            x = DilatedMaxPooling(2, dilation, name=f"block{stage}_pool")(x)
            dilation *= 2
        else:
            x = layers.MaxPooling2D(2, padding="same", name=f"block{stage}_pool")(x)
        features.append(x)
    return keras.Model(image, features, name=name)
