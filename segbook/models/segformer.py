"""SegFormer: a pyramid of transformer blocks and a decoder of dense layers."""

import keras
import numpy as np
from keras import layers

from segbook.layers.blocks import conv_block
from segbook.layers.resize import resize_to
from segbook.layers.transformer import layer_normalization, patch_embedding, transformer_block
from segbook.models.parts import check_arguments, score_pixels


def segformer(
    num_classes,
    widths=(32, 64, 160, 256),
    *,
    depths=(2, 2, 2, 2),
    heads=(1, 2, 5, 8),
    reductions=(8, 4, 2, 1),
    expansion=4,
    decoder_width=256,
    input_shape=(None, None, 3),
    drop_path=0.1,
    dropout=0.1,
):
    """Make a SegFormer: attention at strides 4 to 32, and a decoder of dense layers.

    Xie et al., 2021, section 3. The defaults are B0, the authors' smallest: 3,719,027 trainable
    weights with 19 classes. B1 is `widths=(64, 128, 320, 512)`; B2 to B5 have its widths, more
    depth, as (3, 4, 6, 3) in B2, and `decoder_width=768`. For a laptop: `segformer(num_classes,
    (16, 32, 64, 96), heads=(1, 1, 2, 3), decoder_width=64)`, 0.57 million.

    It has no positions: the zeros that its convolutions pad with are all it knows of them. Every
    weight starts at random; the authors pretrain the encoder on ImageNet.

    Deviation: one epsilon, 1e-6, for every layer normalisation; the authors' code has 1e-5 in those
    of patches and keys.

    Args:
        num_classes: Number of classes.
        widths: Channels at strides 4, 8, 16 and 32.
        depths: Transformer blocks at each of them.
        heads: Heads of attention; each divides its width.
        reductions: Sides of the squares of places that share one key.
        expansion: Channels inside the mix-FFN per channel.
        decoder_width: Channels to which the decoder maps every stage.
        input_shape: `(height, width, channels)`; height and width may be None.
        drop_path: Share of the pictures for which the last block leaves a branch out, while
            training; it grows evenly from 0 in the first block.
        dropout: Share of the channels before the scores that is dropped while training.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    _check_stages(widths=widths, depths=depths, heads=heads, reductions=reductions)
    # The first stage needs a whole square of keys, and so does each that follows.
    minimum = max(stride * side for stride, side in zip((4, 8, 16, 32), reductions, strict=True))
    check_arguments(num_classes, input_shape, minimum=minimum)
    rates = iter(np.linspace(0, drop_path, sum(depths)).tolist())
    x = image = keras.Input(input_shape, name="image")
    features = []
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        patch = {"kernel_size": 7, "strides": 4} if stage == 0 else {}
        x = patch_embedding(x, width, **patch, name=f"patches{stage + 1}")
        for block in range(depth):
            x = transformer_block(
                x,
                heads[stage],
                reduction=reductions[stage],
                expansion=expansion,
                drop_path=next(rates),
                name=f"stage{stage + 1}_block{block + 1}",
            )
        x = layer_normalization(x, name=f"stage{stage + 1}_norm")
        features.append(x)
    x = _decode(features, decoder_width)
    x = layers.SpatialDropout2D(dropout, name="dropout")(x)
    return keras.Model(image, score_pixels(x, num_classes, image), name="segformer")


def _decode(features, width):
    """Map every stage to one width, bring it to stride 4 and mix all of them at each place."""
    mapped = [
        layers.Dense(width, name=f"decoder_stage{stage}")(x)
        for stage, x in enumerate(features, start=1)
    ]
    same = mapped[:1] + [
        resize_to(x, mapped[0], name=f"decoder_up{stage}")
        for stage, x in enumerate(mapped[1:], start=2)
    ]
    x = layers.Concatenate(name="decoder_concat")(same[::-1])
    return conv_block(x, width, 1, name="decoder_fuse")


def _check_stages(**stages):
    for name, values in stages.items():
        if len(values) != 4 or any(value < 1 for value in values):
            raise ValueError(f"{name}={tuple(values)} must be four numbers of 1 or more.")
    for width, heads in zip(stages["widths"], stages["heads"], strict=True):
        if width % heads:
            raise ValueError(
                f"heads={tuple(stages['heads'])} must divide widths={tuple(stages['widths'])}, "
                "each its own."
            )
