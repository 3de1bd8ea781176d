"""The encoders of `keras.applications`, with preprocessing inside and dilation on request.

Each has five outputs, like every encoder of `segbook.backbones`. Where an output stride of 16 or 8
is asked for, strides are turned into dilation: the same weights compute the same features at more
places (DeepLab, Chen et al., 2015, section 3.1).
"""

import keras

from segbook.backbones import dilation, preprocessing
from segbook.backbones.arguments import check_channels, check_multi_grid, check_output_stride


def resnet50(input_shape=(None, None, 3), *, weights=None, output_stride=32, multi_grid=(1, 1, 1)):
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


def resnet101(input_shape=(None, None, 3), *, weights=None, output_stride=32, multi_grid=(1, 1, 1)):
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
    check_output_stride(output_stride, (32, 16, 8), name.lower())
    check_multi_grid(multi_grid, depths[-1])
    changes = dilation.resnet(output_stride, depths, multi_grid)
    outputs = ["conv1_relu", *(f"conv{i + 2}_block{n}_out" for i, n in enumerate(depths))]
    return _encoder(name, input_shape, weights, outputs, preprocessing.caffe, changes)


def mobilenet_v2(input_shape=(None, None, 3), *, weights=None, output_stride=32):
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
    check_output_stride(output_stride, (32, 16, 8), "mobilenet_v2")
    changes = dilation.mobilenet_v2(output_stride)
    outputs = [f"block_{i}_expand_relu" for i in (1, 3, 6, 13)] + ["out_relu"]
    return _encoder("MobileNetV2", input_shape, weights, outputs, preprocessing.signed, changes)


def xception(input_shape=(None, None, 3), *, weights=None, output_stride=32):
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
    check_output_stride(output_stride, (32, 16, 8), "xception")
    changes = dilation.xception(output_stride)
    outputs = [f"block{i}_sepconv2_bn" for i in (2, 3, 4, 13)] + ["block14_sepconv2_act"]
    return _encoder("Xception", input_shape, weights, outputs, preprocessing.signed, changes)


def efficientnet_b0(input_shape=(None, None, 3), *, weights=None, output_stride=32):
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
    check_output_stride(output_stride, (32,), "efficientnet_b0")
    outputs = [f"block{i}a_expand_activation" for i in (2, 3, 4, 6)] + ["top_activation"]
    return _encoder("EfficientNetB0", input_shape, weights, outputs, preprocessing.bytes)


def densenet121(input_shape=(None, None, 3), *, weights=None, output_stride=32):
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
    check_output_stride(output_stride, (32,), "densenet121")
    outputs = ["conv1_relu", "pool2_relu", "pool3_relu", "pool4_relu", "relu"]
    return _encoder("DenseNet121", input_shape, weights, outputs, preprocessing.standardized)


def _encoder(name, input_shape, weights, outputs, preprocess, changes=None):
    """Build a network of `keras.applications`, change some layers, and give its features."""
    lower = name.lower()
    check_channels(input_shape, weights, lower)
    image = keras.Input(input_shape)
    model = application(name, weights, input_tensor=preprocess(image))
    if changes:
        model = dilation.rebuild(model, changes)
    features = [model.get_layer(output).output for output in outputs]
    return keras.Model(model.inputs[0], features, name=lower)


def application(name, weights, **kwargs):
    """Build a network of `keras.applications` without its classifier.

    Args:
        name: Name of the function in `keras.applications`.
        weights: None, "imagenet" or a path.
        **kwargs: More arguments of that function.

    Returns:
        A functional model.

    Raises:
        ConnectionError: If the weights cannot be downloaded.
    """
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
