"""Pyramids of several scales: atrous (ASPP), by sum and by concatenation, and of pooling."""

from keras import layers

from segbook.layers.blocks import conv_block, separable_block
from segbook.layers.pooling import AdaptiveAveragePooling
from segbook.layers.resize import resize_to


def check_rates(rates):
    """Raise unless `rates` are atrous rates.

    Args:
        rates: Positive integers, one a branch.

    Raises:
        ValueError: If there is none, or one is not a positive integer.
    """
    if not rates or any(not isinstance(rate, int) or rate < 1 for rate in rates):
        raise ValueError(
            f"rates={rates!r} must be positive integers, one a branch, such as (6, 12, 18) for "
            "output stride 16 and (12, 24, 36) for output stride 8."
        )


def aspp_sum(x, num_classes, rates=(6, 12, 18, 24), *, hidden=None, dropout=0.5, name="aspp"):
    """Score features at several atrous rates and add the scores: the ASPP of DeepLab v2.

    DeepLab v2 (Chen et al., 2017), section 3.2.

    Args:
        x: Features `(n, h, w, c)`.
        num_classes: Number of classes.
        rates: Atrous rate of each branch; the paper's ASPP-L, or (2, 4, 8, 12) for ASPP-S.
        hidden: Channels of two hidden layers in each branch, "fc6" (3x3) and "fc7" (1x1), as in the
            paper's VGG-16 network: 1024. None: a branch is one 3x3 convolution, as in its ResNet.
        dropout: Share of hidden units that is dropped while training.
        name: Prefix of the names of the layers.

    Returns:
        Scores `(n, h, w, num_classes)`.

    Raises:
        ValueError: If a rate is not a positive integer.
    """
    check_rates(rates)
    scores = []
    for i, rate in enumerate(rates, start=1):
        branch, kernel, dilation = x, 3, rate
        if hidden:
            for layer, size, atrous in (("fc6", 3, rate), ("fc7", 1, 1)):
                prefix = f"{name}_{layer}_{i}"
                branch = conv_block(
                    branch, hidden, size, dilation=atrous, batch_norm=False, name=prefix
                )
                branch = layers.Dropout(dropout, name=f"{prefix}_dropout")(branch)
            kernel, dilation = 1, 1
        score = layers.Conv2D(
            num_classes, kernel, dilation_rate=dilation, padding="same", name=f"{name}_score_{i}"
        )
        scores.append(score(branch))
    return layers.Add(name=f"{name}_sum")(scores) if len(scores) > 1 else scores[0]


def image_pooling(x, filters, *, name="image_pooling"):
    """Give every place the average of the whole picture, through a 1x1 convolution.

    DeepLab v3 (Chen et al., 2017), section 3.3. While training on a single picture its batch
    normalisation sees one value a channel and gives its shift alone; and one that follows, as in
    `aspp`, takes away whatever is constant in a picture. Train with 4 or more, or freeze every one.

    Args:
        x: Features `(n, h, w, c)`.
        filters: Number of output channels.
        name: Prefix of the names of the layers.

    Returns:
        Features `(n, h, w, filters)`, the same at every place of a picture.
    """
    pooled = AdaptiveAveragePooling(1, name=name)(x)
    pooled = conv_block(pooled, filters, 1, name=f"{name}_conv")
    return resize_to(pooled, x, name=f"{name}_up")


def aspp(
    x, filters=256, rates=(6, 12, 18), *, separable=False, pool=True, dropout=0.5, name="aspp"
):
    """Concatenate a 1x1, several atrous 3x3 and an image pooling branch: the ASPP of DeepLab v3.

    DeepLab v3 (Chen et al., 2017), section 3.3; separable as in DeepLab v3+ (Chen et al., 2018),
    section 3.2. With 2048 channels in and the defaults, 15,535,104 trainable parameters.

    Args:
        x: Features `(n, h, w, c)`.
        filters: Channels of each branch and of the result.
        rates: Atrous rates: (6, 12, 18) at output stride 16, the double at 8.
        separable: Whether the 3x3 convolutions are depthwise separable.
        pool: Whether there is an image pooling branch.
        dropout: Share of the result that is dropped while training: torchvision's 0.5. The authors'
            code of DeepLab v3 and v3+ has 0.1.
        name: Prefix of the names of the layers.

    Returns:
        Features `(n, h, w, filters)`.

    Raises:
        ValueError: If a rate is not a positive integer.
    """
    check_rates(rates)
    block = separable_block if separable else conv_block
    branches = [conv_block(x, filters, 1, name=f"{name}_0")]
    for i, rate in enumerate(rates, start=1):
        branches.append(block(x, filters, 3, dilation=rate, name=f"{name}_{i}"))
    if pool:
        branches.append(image_pooling(x, filters, name=f"{name}_pool"))
    x = layers.Concatenate(name=f"{name}_concat")(branches)
    x = conv_block(x, filters, 1, name=f"{name}_project")
    return layers.Dropout(dropout, name=f"{name}_dropout")(x)


def pyramid_pooling(x, bins=(1, 2, 3, 6), *, name="pyramid"):
    """Concatenate features with their averages over regions of several sizes.

    PSPNet (Zhao et al., 2017), section 3.2.

    Args:
        x: Features `(n, h, w, c)`.
        bins: Number of regions in each direction, one a level.
        name: Prefix of the names of the layers.

    Returns:
        Features `(n, h, w, c + len(bins) * (c // len(bins)))`.
    """
    channels = x.shape[-1] // len(bins)
    levels = [x]
    for size in bins:
        level = AdaptiveAveragePooling(size, name=f"{name}_{size}")(x)
        level = conv_block(level, channels, 1, name=f"{name}_{size}_conv")
        levels.append(resize_to(level, x, name=f"{name}_{size}_up"))
    return layers.Concatenate(name=f"{name}_concat")(levels)
