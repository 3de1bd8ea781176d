"""Encoders: functional models that give one feature map at each stride, finest first.

Every backbone takes pictures in [0, 1] and has five outputs, at strides 2, 4, 8, 16 and 32, but
never coarser than its output stride: with output stride 8 the last three are all at stride 8.
"""

import keras
from keras import layers, ops

from segbook.layers import conv_block
from segbook.pooling import DilatedMaxPooling

STRIDES = (2, 4, 8, 16, 32)
VGG16_DEPTHS = (2, 2, 3, 3, 3)


def small_encoder(input_shape=(None, None, 3), width=16, output_stride=32, name="small_encoder"):
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
    _check_output_stride(output_stride, (32, 16, 8), "small_encoder")
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


def vgg(
    input_shape=(None, None, 3),
    width=64,
    depths=VGG16_DEPTHS,
    output_stride=32,
    pool_size=2,
    normalize=False,
    name="vgg",
):
    """Make a VGG of any width and depth (Simonyan and Zisserman, 2015).

    The layers bear the names of `keras.applications.VGG16`. Pooling has "same" padding, so that
    odd sizes are rounded up and lose nothing; for multiples of 32 the result is the same.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        width: Channels of the first block; the paper's 64. They double up to `8 * width`.
        depths: Number of 3x3 convolutions in each of five blocks.
        output_stride: Stride of the coarsest features: 32, 16 or 8. As in DeepLab v1, pooling
            beyond it has stride 1 and the convolutions after it are dilated.
        pool_size: Size of the pooling windows: the paper's 2, or DeepLab's 3.
        normalize: Whether batch normalisation follows each convolution.
        name: Name of the model.

    Returns:
        A functional model from pictures in [0, 1] to five feature maps, the pooled output of each
        block, with `width * (1, 2, 4, 8, 8)` channels.

    Raises:
        ValueError: If the output stride is none of these.
    """
    _check_output_stride(output_stride, (32, 16, 8), name)
    image = x = keras.Input(input_shape)
    if input_shape[-1] == 3:
        x = CaffePreprocessing(name="preprocessing")(x)
    features, dilation = [], 1
    blocks = zip(depths, (1, 2, 4, 8, 8), STRIDES, strict=True)
    for block, (depth, factor, stride) in enumerate(blocks, start=1):
        for i in range(1, depth + 1):
            x = conv_block(
                x,
                factor * width,
                dilation=dilation,
                normalize=normalize,
                name=f"block{block}_conv{i}",
            )
        step = 2 if stride <= output_stride else 1
        x = layers.MaxPooling2D(pool_size, step, padding="same", name=f"block{block}_pool")(x)
        dilation *= 2 // step
        features.append(x)
    return keras.Model(image, features, name=name)


def vgg16(input_shape=(None, None, 3), weights=None, output_stride=32, pool_size=2):
    """Make the VGG-16 of `keras.applications` with its preprocessing inside.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None for random weights, "imagenet", or the path of a weights file of
            `keras.applications.VGG16(include_top=False)`.
        output_stride: Stride of the coarsest features: 32, 16 or 8, as in `vgg`.
        pool_size: Size of the pooling windows: the paper's 2, or DeepLab's 3.

    Returns:
        A functional model from RGB pictures in [0, 1] to the five pooled feature maps with 64, 128,
        256, 512 and 512 channels. 14,714,688 parameters.

    Raises:
        ValueError: If the output stride is none of these, or weights are asked for and the pictures
            do not have 3 channels.
        ConnectionError: If the weights cannot be downloaded.
    """
    _check_channels(input_shape, weights, "vgg16")
    model = vgg(input_shape, output_stride=output_stride, pool_size=pool_size, name="vgg16")
    if weights is not None:
        model.set_weights(_application("VGG16", weights).get_weights())
    return model


def resnet50(input_shape=(None, None, 3), weights=None, output_stride=32, multi_grid=(1, 1, 1)):
    """Make the ResNet-50 of `keras.applications` (He et al., 2016), dilated on request.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None for random weights, "imagenet", or the path of a weights file.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        multi_grid: Factors on the dilation of the last stage's three blocks; DeepLab v3 has
            (1, 2, 4).

    Returns:
        A functional model from RGB pictures in [0, 1] to five feature maps with 64, 256, 512, 1024
        and 2048 channels. 23,587,712 parameters.

    Raises:
        ValueError: If an argument does not fit.
        ConnectionError: If the weights cannot be downloaded.
    """
    return _resnet("ResNet50", (3, 4, 6, 3), input_shape, weights, output_stride, multi_grid)


def resnet101(input_shape=(None, None, 3), weights=None, output_stride=32, multi_grid=(1, 1, 1)):
    """Make the ResNet-101 of `keras.applications` (He et al., 2016), dilated on request.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None for random weights, "imagenet", or the path of a weights file.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        multi_grid: Factors on the dilation of the last stage's three blocks; DeepLab v3 has
            (1, 2, 4).

    Returns:
        A functional model from RGB pictures in [0, 1] to five feature maps with 64, 256, 512, 1024
        and 2048 channels. 42,658,176 parameters.

    Raises:
        ValueError: If an argument does not fit.
        ConnectionError: If the weights cannot be downloaded.
    """
    return _resnet("ResNet101", (3, 4, 23, 3), input_shape, weights, output_stride, multi_grid)


def _resnet(name, depths, input_shape, weights, output_stride, multi_grid):
    _check_output_stride(output_stride, (32, 16, 8), name.lower())
    if len(multi_grid) != 3 or any(factor < 1 for factor in multi_grid):
        raise ValueError(
            f"multi_grid={multi_grid!r} must be three factors, 1 or more, such as (1, 2, 4)."
        )
    changes, dilation = {}, 1
    for stage, stride in ((4, 16), (5, 32)):
        if stride > output_stride:
            dilation *= 2
            for layer in ("0", "1"):
                changes[f"conv{stage}_block1_{layer}_conv"] = {"strides": 1}
        for block in range(depths[stage - 2]):
            factor = multi_grid[block] if stage == 5 else 1
            changes[f"conv{stage}_block{block + 1}_2_conv"] = {"dilation_rate": dilation * factor}
    outputs = ["conv1_relu", *(f"conv{i + 2}_block{n}_out" for i, n in enumerate(depths))]
    return _encoder(name, input_shape, weights, outputs, _caffe, changes)


def mobilenet_v2(input_shape=(None, None, 3), weights=None, output_stride=32):
    """Make the MobileNetV2 of `keras.applications` (Sandler et al., 2018), dilated on request.

    Without fixed sizes, odd sizes are rounded down.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None for random weights, "imagenet", or the path of a weights file.
        output_stride: Stride of the coarsest features: 32, 16 or 8.

    Returns:
        A functional model from RGB pictures in [0, 1] to five feature maps with 96, 144, 192, 576
        and 1280 channels. 2,257,984 parameters.

    Raises:
        ValueError: If an argument does not fit.
        ConnectionError: If the weights cannot be downloaded.
    """
    _check_output_stride(output_stride, (32, 16, 8), "mobilenet_v2")
    changes, dilation = {}, 1
    for first, last, stride in ((6, 12, 16), (13, 16, 32)):
        changes[f"block_{first}_depthwise"] = {"dilation_rate": dilation}
        if stride > output_stride:
            changes[f"block_{first}_depthwise"] |= {"strides": 1, "padding": "same"}
            changes[f"block_{first}_pad"] = {"padding": 0}
            dilation *= 2
        for block in range(first + 1, last + 1):
            changes[f"block_{block}_depthwise"] = {"dilation_rate": dilation}
    outputs = [f"block_{i}_expand_relu" for i in (1, 3, 6, 13)] + ["out_relu"]
    return _encoder("MobileNetV2", input_shape, weights, outputs, _signed, changes)


def xception(input_shape=(None, None, 3), weights=None, output_stride=32):
    """Make the Xception of `keras.applications` (Chollet, 2017), dilated on request.

    Its first convolutions have no padding, so features at stride 2 are 3 samples smaller than half
    the picture. This is Chollet's network, not DeepLab v3+'s, which has more layers and strides in
    place of pooling.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None for random weights, "imagenet", or the path of a weights file.
        output_stride: Stride of the coarsest features: 32, 16 or 8.

    Returns:
        A functional model from RGB pictures in [0, 1] to five feature maps with 128, 256, 728, 1024
        and 2048 channels. 20,861,480 parameters.

    Raises:
        ValueError: If an argument does not fit.
        ConnectionError: If the weights cannot be downloaded.
    """
    _check_output_stride(output_stride, (32, 16, 8), "xception")
    changes, dilation = {}, 1
    # The shortcut is the strided 1x1 convolution of that place; its own name counts up.
    for pool, shortcut, blocks, stride in (
        ("block4_pool", 2, range(5, 14), 16),
        ("block13_pool", 3, range(14, 15), 32),
    ):
        if stride > output_stride:
            changes[pool] = DilatedMaxPooling(3, dilation, name=pool)
            changes[shortcut] = {"strides": 1}
            dilation *= 2
        for block in blocks:
            for i in (1, 2, 3):
                changes[f"block{block}_sepconv{i}"] = {"dilation_rate": dilation}
    outputs = [f"block{i}_sepconv2_bn" for i in (2, 3, 4, 13)] + ["block14_sepconv2_act"]
    return _encoder("Xception", input_shape, weights, outputs, _signed, changes)


def efficientnet_b0(input_shape=(None, None, 3), weights=None, output_stride=32):
    """Make the EfficientNet-B0 of `keras.applications` (Tan and Le, 2019).

    Without fixed sizes, odd sizes are rounded down.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None for random weights, "imagenet", or the path of a weights file.
        output_stride: 32, the only one that this backbone has.

    Returns:
        A functional model from RGB pictures in [0, 1] to five feature maps with 96, 144, 240, 672
        and 1280 channels. 4,049,571 parameters.

    Raises:
        ValueError: If an argument does not fit.
        ConnectionError: If the weights cannot be downloaded.
    """
    _check_output_stride(output_stride, (32,), "efficientnet_b0")
    outputs = [f"block{i}a_expand_activation" for i in (2, 3, 4, 6)] + ["top_activation"]
    return _encoder("EfficientNetB0", input_shape, weights, outputs, _bytes)


def densenet121(input_shape=(None, None, 3), weights=None, output_stride=32):
    """Make the DenseNet-121 of `keras.applications` (Huang et al., 2017).

    Odd sizes are rounded down from stride 8 on.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None for random weights, "imagenet", or the path of a weights file.
        output_stride: 32, the only one that this backbone has.

    Returns:
        A functional model from RGB pictures in [0, 1] to five feature maps with 64, 256, 512, 1024
        and 1024 channels. 7,037,504 parameters.

    Raises:
        ValueError: If an argument does not fit.
        ConnectionError: If the weights cannot be downloaded.
    """
    _check_output_stride(output_stride, (32,), "densenet121")
    outputs = ["conv1_relu", "pool2_relu", "pool3_relu", "pool4_relu", "relu"]
    return _encoder("DenseNet121", input_shape, weights, outputs, _standardized)


def _caffe(image):
    return CaffePreprocessing(name="preprocessing")(image)


def _signed(image):
    return layers.Rescaling(2.0, -1.0, name="preprocessing")(image)


def _bytes(image):
    return layers.Rescaling(255.0, name="preprocessing")(image)


def _standardized(image):
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    scale = [1 / d for d in deviation]
    offset = [-m / d for m, d in zip(mean, deviation, strict=True)]
    return layers.Rescaling(scale, offset, name="preprocessing")(image)


def _encoder(name, input_shape, weights, outputs, preprocess, changes=None):
    """Build a network of `keras.applications`, change some of its layers, and give its features.

    `changes` holds a layer to take another's place, or entries of its configuration, by the layer's
    name or, for strided 1x1 convolutions without a name of their own, by their order.
    """
    lower = name.lower()
    _check_channels(input_shape, weights, lower)
    image = keras.Input(input_shape)
    x = preprocess(image) if input_shape[-1] == 3 else image
    model = _application(name, weights, input_tensor=x)
    if changes:
        model = _rebuild(model, changes)
    features = [model.get_layer(output).output for output in outputs]
    return keras.Model(model.inputs[0], features, name=lower)


def _rebuild(model, changes):
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


def _check_output_stride(output_stride, allowed, name):
    if output_stride not in allowed:
        raise ValueError(
            f"output_stride={output_stride!r} of {name} must be one of {allowed}."
            + (
                ""
                if 8 in allowed
                else " For a smaller one choose a ResNet, VGG, Xception or MobileNetV2."
            )
        )


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


BUILDERS = {
    "vgg16": vgg16,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "mobilenet_v2": mobilenet_v2,
    "xception": xception,
    "efficientnet_b0": efficientnet_b0,
    "densenet121": densenet121,
}


def get_backbone(
    backbone, input_shape=(None, None, 3), weights=None, output_stride=None, **options
):
    """Return a backbone by name, or check one that was built already.

    Args:
        backbone: A name, one of `BUILDERS`, or a functional model with five outputs at strides 2,
            4, 8, 16 and 32 (or its output stride), such as `small_encoder()` gives.
        input_shape: `(height, width, channels)` of the pictures.
        weights: None, "imagenet" or a path, for a backbone given by name.
        output_stride: Stride of the coarsest features, which a model must have been built with.
            None: 32 for a name, any for a model.
        **options: More arguments of the function behind the name.

    Returns:
        A functional model with five outputs.

    Raises:
        ValueError: If the name is unknown, the model does not have five outputs or this output
            stride, or `weights` is given with a model.
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
        actual = _output_stride(backbone)
        if output_stride not in (None, actual):
            raise ValueError(
                f"output_stride={output_stride}, but backbone {backbone.name!r} was built with "
                f"{actual}. Build it with output_stride={output_stride}, such as "
                f"small_encoder(output_stride={output_stride}), or give output_stride={actual}."
            )
        return backbone
    if backbone not in BUILDERS:
        raise ValueError(
            f"backbone={backbone!r} is unknown; it must be one of {', '.join(BUILDERS)}, or a "
            "functional model with features at strides 2, 4, 8, 16 and 32."
        )
    return BUILDERS[backbone](input_shape, weights, output_stride=output_stride or 32, **options)


def _output_stride(model):
    height = model.input_shape[1] or 256
    shape = (1, height, model.input_shape[2] or 256, model.input_shape[3])
    return round(height / model.compute_output_shape(shape)[-1][1])
