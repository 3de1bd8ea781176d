"""How each published encoder expects its pictures, as a layer inside the model.

All take [0, 1]. What is said here of channels holds for RGB; pictures of another number of channels
get the mean of the three values in each, so that they have the same range.
"""

import keras
from keras import layers, ops

CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red, of [0, 255]
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # red, green, blue, of [0, 1]


@keras.saving.register_keras_serializable(package="segbook")
class CaffePreprocessing(layers.Layer):
    """Turn RGB in [0, 1] into BGR in [0, 255] less the ImageNet mean, as VGG and ResNet expect.

    Equals `keras.applications.imagenet_utils.preprocess_input(255 * x, mode="caffe")`. Pictures of
    another number of channels keep their order.
    """

    window = (1, 1, 1)  # kernel, stride and dilation, for receptive fields

    def call(self, image):
        """Reorder, scale and shift the channels of `(n, h, w, 3)`."""
        if image.shape[-1] != 3:
            return image * 255.0 - sum(CAFFE_MEAN) / 3
        mean = ops.convert_to_tensor(CAFFE_MEAN, dtype=self.compute_dtype)
        return ops.flip(image, axis=-1) * 255.0 - mean

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape


def caffe(image):
    """Prepare RGB in [0, 1] for VGG and ResNet: see `CaffePreprocessing`."""
    return CaffePreprocessing(name="preprocessing")(image)


def signed(image):
    """Prepare RGB in [0, 1] for Xception and MobileNet: [-1, 1]."""
    return layers.Rescaling(2.0, -1.0, name="preprocessing")(image)


def bytes(image):
    """Prepare RGB in [0, 1] for EfficientNet, which scales [0, 255] itself."""
    return layers.Rescaling(255.0, name="preprocessing")(image)


def standardized(image):
    """Prepare RGB in [0, 1] for DenseNet: ImageNet's mean 0 and deviation 1."""
    mean, deviation = MEAN, DEVIATION
    if image.shape[-1] != 3:
        mean, deviation = (sum(MEAN) / 3,), (sum(DEVIATION) / 3,)
    scale = [1 / d for d in deviation]
    offset = [-m / d for m, d in zip(mean, deviation, strict=True)]
    return layers.Rescaling(scale, offset, name="preprocessing")(image)
