"""SegNet: a mirrored decoder that unpools by index."""

import keras
from keras import layers

from segbook.backbones import VGG16_DEPTHS, CaffePreprocessing, vgg16
from segbook.layers import MaxPoolWithIndices, MaxUnpool, conv_block, crop_to
from segbook.models.parts import check_arguments


def segnet(
    num_classes, *, input_shape=(None, None, 3), weights=None, width=64, depths=VGG16_DEPTHS
):
    """Make a SegNet.

    Badrinarayanan, Kendall and Cipolla, 2017, section 3: the 13 convolutions of VGG-16 with batch
    normalisation, and their mirror image, each unpooling to where the maxima were. For 11 classes
    29,433,483 parameters without batch normalisation's, 29,465,227 with all. For a laptop:
    `segnet(num_classes, width=16, depths=(1, 2, 2, 2))`, 0.59 million.

    As in the authors' network, convolutions have a bias beside batch normalisation and the last one
    stands alone. Deviation: odd sizes are rounded up and cropped.

    Args:
        num_classes: Number of classes.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Where the encoder's 13 convolutions start: None for random, "imagenet" for those of
            VGG-16, as in the paper, or the path of a weights file of
            `keras.applications.VGG16(include_top=False)`. The model then also prepares pictures as
            VGG-16 expects them.
        width: Channels of the first block; they double up to `8 * width`.
        depths: Number of convolutions in each block, one pooling a block.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
        ConnectionError: If the weights cannot be downloaded.
    """
    if not depths or min(depths) < 1:
        raise ValueError(f"depths={depths!r} must be numbers of convolutions, 1 or more a block.")
    check_arguments(num_classes, input_shape, minimum=2 ** len(depths))
    if weights is not None and (width, tuple(depths)) != (64, VGG16_DEPTHS):
        raise ValueError(
            f"weights={weights!r} need width=64 and depths={VGG16_DEPTHS}, not width={width} and "
            f"depths={depths!r}."
        )
    vgg = vgg16(input_shape, weights=weights) if weights is not None else None
    channels = [width * min(2**block, 8) for block in range(len(depths))]
    image = x = keras.Input(input_shape, name="image")
    if vgg:
        x = CaffePreprocessing(name="preprocessing")(x)
    poolings = []
    for block, depth in enumerate(depths, start=1):
        for i in range(1, depth + 1):
            x = _conv(x, channels[block - 1], f"encoder{block}_conv{i}")
        unpooled = x
        x, indices = MaxPoolWithIndices(name=f"encoder{block}_pool")(x)
        poolings.append((unpooled, indices))

    for block in range(len(depths), 0, -1):
        like, indices = poolings[block - 1]
        x = MaxUnpool(name=f"decoder{block}_unpool")([x, indices])
        x = crop_to(x, like, name=f"decoder{block}_crop")
        for i in range(depths[block - 1], 1, -1):
            x = _conv(x, channels[block - 1], f"decoder{block}_conv{i}")
        if block > 1:
            x = _conv(x, channels[block - 2], f"decoder{block}_conv1")
    logits = layers.Conv2D(num_classes, 3, padding="same", dtype="float32", name="logits")(x)
    model = keras.Model(image, logits, name="segnet")
    for block, depth in enumerate(depths if vgg else (), start=1):
        for i in range(1, depth + 1):
            layer = model.get_layer(f"encoder{block}_conv{i}")
            layer.set_weights(vgg.get_layer(f"block{block}_conv{i}").get_weights())
    return model


def _conv(x, filters, name):
    return conv_block(x, filters, use_bias=True, name=name)
