"""The network of chapter 13, its recipe, and one training of it."""

from segbook import losses, metrics, pipeline, worlds
from segbook.training import nested_layers, prepare

import functools
import itertools
import math
import time

import keras
import numpy as np
from keras import layers

SIZE, CLASSES = 48, 9
WIDTHS = (8, 16, 32, 48)  # channels at strides 1, 2, 4 and 8
STEPS, BATCH, PICTURES, RATE = 120, 8, 160, 0.01
CAR = 5


@functools.cache
def data():
    """Draw the pictures: 320 to train on, 60 to choose by, and 100 for the report."""
    parts = {"train": (320, 1), "val": (60, 4), "test": (100, 2)}
    return {name: worlds.streets(n, size=SIZE, seed=seed) for name, (n, seed) in parts.items()}


# The network, and what it may end in.


def block(x, width, *, batch_norm=True, momentum=0.9, activation="relu", initializer, penalty):
    """Apply a 3x3 convolution, batch normalisation if wanted, and an activation."""
    x = layers.Conv2D(
        width,
        3,
        padding="same",
        use_bias=not batch_norm,
        kernel_initializer=initializer(),
        kernel_regularizer=penalty and penalty(),
    )(x)
    if batch_norm:
        x = layers.BatchNormalization(momentum=momentum)(x)
    return layers.Activation(activation)(x)


def encode(image, widths, **kind):
    """Give the features before each pooling, and those at the bottom."""
    x, skips = image, []
    for width in widths[:-1]:
        x = block(x, width, **kind)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    return skips, block(x, widths[-1], **kind)


def network(
    *,
    widths=WIDTHS,
    outputs=CLASSES,
    dropout=0.0,
    auxiliary=False,
    initializer=keras.initializers.HeNormal,
    penalty=None,
    **kind,
):
    """Make the small U-Net; with `auxiliary` it also scores the features at the bottom."""
    kind |= {"initializer": initializer, "penalty": penalty}
    image = keras.Input((SIZE, SIZE, 3))
    skips, x = encode(image, widths, **kind)
    x = bottom = layers.Dropout(dropout)(x) if dropout else x
    for width in reversed(widths[:-1]):
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), skips.pop()])
        x = block(x, width, **kind)
    scores = layers.Conv2D(outputs, 1, kernel_initializer=initializer())
    logits = scores(x)
    if not auxiliary:
        return keras.Model(image, logits)
    coarse = layers.Conv2D(outputs, 1, kernel_initializer=initializer())(bottom)
    factor = 2 ** (len(widths) - 1)
    coarse = layers.UpSampling2D(factor, interpolation="bilinear")(coarse)
    return keras.Model(image, [logits, coarse])


def headless(head, *, initializer=keras.initializers.HeNormal, penalty=None, **kind):
    """Make the encoder with a head that scores its last features: "dense" or "convolution"."""
    image = keras.Input((SIZE, SIZE, 3))
    _, x = encode(image, WIDTHS, initializer=initializer, penalty=penalty, **kind)
    places = SIZE // 2 ** (len(WIDTHS) - 1)
    if head == "dense":
        x = layers.Dense(places * places * CLASSES)(layers.Flatten()(x))
        x = layers.Reshape((places, places, CLASSES))(x)
    else:
        x = layers.Conv2D(CLASSES, 1)(x)
    return keras.Model(image, layers.UpSampling2D(SIZE // places, interpolation="bilinear")(x))


# Schedules: the factor on the rate before a step.


def constant(step, steps):
    """Leave the rate."""
    return 1.0


def in_steps(step, steps):
    """Divide by ten after half of the steps, and again after three quarters."""
    return 0.1 ** ((step >= steps / 2) + (step >= 3 * steps / 4))


def exponential(step, steps):
    """Fall to a hundredth."""
    return 0.01 ** (step / steps)


def staircase(step, steps):
    """Fall by 4% every 1000 steps, as some introductions have it, whatever the number of steps."""
    return 0.96 ** (step // 1000)


def cosine(step, steps):
    """Fall along half a cosine."""
    return (1 + math.cos(math.pi * step / steps)) / 2


def poly(step, steps):
    """Fall as DeepLab does."""
    return (1 - step / steps) ** 0.9


def after_warm_up(schedule):
    """Rise linearly from 0 over a tenth of the steps, then follow a schedule over the others."""

    def factor(step, steps):
        first = steps // 10
        return step / first if step < first else schedule(step - first, steps - first)

    return factor


# Targets: what the loss compares with, where it is not the mask.


def one_hot(masks):
    """Give a mask of 0 and 1 for each class."""
    return np.eye(CLASSES, dtype="int32")[masks]


def is_car(masks):
    """Give 1 where a car is."""
    return (masks == CAR).astype("int32")


def same(masks):
    """Give the masks."""
    return masks


@functools.lru_cache(maxsize=1)
def compiled(build, loss, optimizer, auxiliary_weight):
    """Build and compile a network once; give it and its optimizer's first state."""
    keras.backend.clear_session()
    model = build()
    both = auxiliary_weight > 0
    model.compile(
        optimizer(),
        [loss(), loss()] if both else loss(),
        loss_weights=[1.0, auxiliary_weight] if both else None,
        jit_compile=False,
    )
    pictures = data()["train"]
    masks = pictures.masks[:1].astype("int32")
    prepare(model, pictures.images[:1], [masks, masks] if both else masks)
    return model, [keras.ops.convert_to_numpy(v) for v in model.optimizer.variables]


def renew(model, build, state, seed):
    """Give a compiled network fresh weights and a fresh optimizer, as this seed draws them."""
    keras.utils.set_random_seed(seed)
    model.set_weights(build().get_weights())
    for variable, value in zip(model.optimizer.variables, state, strict=True):
        variable.assign(value)
    for layer in nested_layers(model):
        if generator := getattr(layer, "seed_generator", None):
            generator.state.assign([seed, 0])


def train(
    seed,
    *,
    build=network,
    loss=losses.CrossEntropy,
    optimizer=keras.optimizers.Adam,
    rate=RATE,
    schedule=constant,
    steps=STEPS,
    batch=BATCH,
    pictures=PICTURES,
    augment=None,
    target=same,
    auxiliary_weight=0.0,
    averaged=False,
):
    """Train a network once by a recipe; the defaults are the baseline.

    Args:
        seed: Seed of weights, order and augmentation.
        build: Makes the network.
        loss: Makes the loss.
        optimizer: Makes the optimizer; its rate is set before each step.
        rate: The rate on which the schedule puts a factor.
        schedule: Function of the step and the number of steps.
        steps: Number of steps.
        batch: Pictures a step.
        pictures: How many pictures there are to train on.
        augment: An augmentation, or None.
        target: Function of the masks.
        auxiliary_weight: Weight of the loss of a second output; 0 if there is one output.
        averaged: Whether the weights at the end are the optimizer's moving average.

    Returns:
        A dictionary: mean IoU on the three sets, of which "train" holds only pictures that were
        trained on, 100 at most; the IoU of each class on test, the mean loss of the last ten steps,
        and the processor's seconds.
    """
    model, state = compiled(build, loss, optimizer, auxiliary_weight)
    renew(model, build, state, seed)
    batches = pipeline.batches(data()["train"][:pictures], batch, augment, seed=seed)
    endless = itertools.chain.from_iterable(itertools.repeat(batches))
    start, found = time.process_time(), []
    for step, (images, masks) in enumerate(itertools.islice(endless, steps)):
        model.optimizer.learning_rate = rate * schedule(step, steps)
        wanted = target(masks)
        wanted = [wanted, wanted] if auxiliary_weight else wanted
        model.reset_metrics()
        found.append(model.train_on_batch(images, wanted, return_dict=True)["loss"])
    seconds = time.process_time() - start
    if averaged:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    reached = {"loss": float(np.mean(found[-10:])), "seconds": seconds}
    for name, samples in data().items():
        some = samples[: min(100, pictures)] if name == "train" else samples[:100]
        value, classes = score(model, some, target)
        reached[name] = value
    return {key: round(float(v), 5) for key, v in reached.items()} | {"iou": classes}


def score(model, samples, target):
    """Give mean IoU and the IoU of each class; of a network for cars, those of two classes."""
    logits = model(samples.images, training=False)
    logits = keras.ops.convert_to_numpy(logits[0] if isinstance(logits, list) else logits)
    logits = np.nan_to_num(logits)
    if logits.shape[-1] == 1:  # one sigmoid is the softmax of (0, logit)
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    masks = is_car(samples.masks) if target is is_car else samples.masks
    metric = metrics.MeanIoU(2 if target is is_car else CLASSES)
    metric.update_state(masks, logits)
    classes = [round(float(iou), 4) for iou in np.nan_to_num(metric.per_class()["iou"])]
    return float(metric.result()), classes
