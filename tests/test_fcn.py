"""FCN's choice of its paper's form, and the encoders that it takes."""

import keras
import pytest

from segbook import backbones
from segbook.models.fcn import fcn


@pytest.fixture
def small_vgg16(monkeypatch):
    """A narrow network in place of VGG-16, by name and built."""

    def build(input_shape=(None, None, 3), *, weights=None, output_stride=32):
        return backbones.vgg(input_shape, width=1, output_stride=output_stride, name="vgg16")

    monkeypatch.setitem(backbones.BUILDERS, "vgg16", build)
    return build


def test_a_name_and_the_model_of_that_name_give_the_same_network(small_vgg16):
    by_name = fcn(3, backbone="vgg16", fc_width=8)
    built = fcn(3, backbone=small_vgg16(), fc_width=8)
    assert [(w.path, w.shape) for w in by_name.weights] == [
        (w.path, w.shape) for w in built.weights
    ]
    for model in (by_name, built):
        assert model.get_layer("fc6").kernel_size == (7, 7)
        assert isinstance(model.get_layer("upscore8"), keras.layers.Conv2DTranspose)
    assert backbones.vgg(width=1).name != "vgg16"
    other = fcn(3, backbone=backbones.vgg(width=1))
    assert other.get_layer("fc6").kernel_size == (3, 3)


@pytest.mark.slow
def test_the_papers_width_is_for_both(small_vgg16):
    for backbone in ("vgg16", small_vgg16()):
        assert fcn(3, stride=32, backbone=backbone, fc_kernel=1).get_layer("fc7").filters == 4096


@pytest.mark.parametrize("output_stride", [16, 8])
def test_dilated_encoders_are_refused(output_stride):
    encoder = backbones.small_encoder(width=2, output_stride=output_stride)
    with pytest.raises(
        ValueError, match=f"output_stride=32, but .* was built with {output_stride}"
    ):
        fcn(3, backbone=encoder)
