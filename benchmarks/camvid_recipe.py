"""The recipe for CamVid: families, losses, splits, optimizer and augmentation of a run."""

from segbook.backbones import efficientnet_lite0
from segbook.datasets import camvid, camvid_frames
from segbook import losses, metrics, models, pipeline
from segbook.samples import Samples
from segbook.training import LayerwiseAdamW, freeze, unfreeze

import dataclasses

import keras
import numpy as np

NUM_CLASSES = 11
FULL = (360, 480)  # the size of the pictures on disk; all scores are at this size

FLOOR = "colour_table"  # is not trained: what a colour at a height mostly is in training
# All have 3.3 to 3.8 million weights, and output stride 16 where the family dilates.
# `lite0(stride)` makes the encoder, `rates` reach as far in a picture of 180x240 as of 360x480.
ON_LITE0 = {
    "fcn8s": lambda n, lite0, rates: models.fcn(n, backbone=lite0(32), fc_width=128),
    "unet": lambda n, lite0, rates: models.unet(n, encoder=lite0(32), width=8, batch_norm=True),
    "deeplab_v3": lambda n, lite0, rates: models.deeplab_v3(n, lite0(16), rates=rates, width=64),
    "deeplab_v3plus": lambda n, lite0, rates: models.deeplab_v3plus(
        n, lite0(16), rates=rates, width=128, low_width=32
    ),
    "deeplab_v3plus_fine": lambda n, lite0, rates: models.deeplab_v3plus(
        n, lite0(16), rates=rates, width=128, low_width=32, fine_width=32
    ),
    "pspnet": lambda n, lite0, rates: models.pspnet(n, lite0(16), output_stride=16, width=96),
    "danet": lambda n, lite0, rates: models.danet(n, lite0(16), output_stride=16, width=64),
    "ccnet": lambda n, lite0, rates: models.ccnet(n, lite0(16), output_stride=16, width=64),
    "ocrnet": lambda n, lite0, rates: models.ocrnet(
        n, lite0(16), output_stride=16, width=96, key_channels=48
    ),
}
# These have an encoder of their own and always start at random.
ALONE = {
    "segnet": lambda n: models.segnet(n, width=22),
    "segformer": lambda n: models.segformer(n, decoder_width=128),
}
# Terms of a loss, made of class weights; "ce+lovasz" is the sum of two.
LOSSES = {
    "ce": lambda weights: losses.CrossEntropy(),
    "weighted": lambda weights: losses.CrossEntropy(class_weights=weights),
    "hardest": lambda weights: losses.HardestCrossEntropy(),
    "dice": lambda weights: losses.Dice(),
    "lovasz": lambda weights: losses.LovaszSoftmax(),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: the recipe and what it is applied to. The defaults are the book's recipe.

    Args:
        family: A key of `ON_LITE0` or `ALONE`, or `FLOOR`.
        start: "imagenet" for a pretrained encoder, or "scratch".
        size: `(height, width)` of the pictures that the model sees, in use and in training.
        seed: Seed of weights, order and augmentation.
        epochs: Passes over the training pictures.
        batch: Pictures a step.
        rate: Highest learning rate: after a warm-up of a twentieth of the steps, before a cosine.
        encoder_rate: Factor on it for the encoder.
        loss: Keys of `LOSSES`, joined by "+".
        scale: Smallest and largest factor of the random scale.
        crop: Sides of the training pictures, as a share of those of `size`.
        freeze: What of the encoder is not trained: "", "batch_norm", "early", which is all up to
            its features at stride 4, or "early+batch_norm".
        train_on: The splits that are trained on: "train" or "train+val".
        hold_out: A drive of theirs that is left out, to be scored on; "" for none.
    """

    family: str
    start: str = "imagenet"
    size: tuple = FULL
    seed: int = 0
    epochs: int = 40
    batch: int = 8
    rate: float = 1e-3
    encoder_rate: float = 1.0
    loss: str = "ce"
    scale: tuple = (0.5, 2.0)
    crop: float = 1.0
    freeze: str = ""
    train_on: str = "train"
    hold_out: str = ""

    def __post_init__(self):
        allowed = {
            "family": {FLOOR, *ON_LITE0, *ALONE},
            "start": {"imagenet", "scratch"} if self.family in ON_LITE0 else {"scratch"},
            "loss": LOSSES,
            "freeze": {"", "batch_norm", "early"} if self.family in ON_LITE0 else {""},
            "train_on": {"train", "val"},
        }
        for name, values in allowed.items():
            for part in getattr(self, name).split("+"):
                if part not in values:
                    given = getattr(self, name)
                    raise ValueError(f"{name}={given!r} must be of {', '.join(sorted(values))}.")

    @property
    def name(self):
        """All that is not as in the recipe, for files and tables: "unet-scratch-seed=1"."""
        parts = [self.family, self.start]
        for field in dataclasses.fields(self)[2:]:
            value = getattr(self, field.name)
            if value != field.default:
                text = "x".join(map(str, value)) if isinstance(value, tuple) else value
                parts.append(f"{field.name}={text}")
        return "-".join(parts)


def split(run):
    """Give the pictures to train on, and those to score on with their name, or None.

    Without a drive held out that is the validation split, unless it is trained on: its frames are
    less than seconds away from training frames, so it flatters.
    """
    parts = run.train_on.split("+")
    pool = joined([camvid(part) for part in parts])
    drives = np.concatenate([camvid_frames(part)[0] for part in parts])
    if run.hold_out:
        held = drives == run.hold_out
        if not held.any():
            known = ", ".join(np.unique(drives))
            raise ValueError(f"hold_out={run.hold_out!r} must be one of the drives {known}.")
        return pool[~held], (run.hold_out, pool[held])
    return pool, None if "val" in parts else ("val", camvid("val"))


def joined(samples):
    """Join several `Samples` of one task."""
    if len(samples) == 1:
        return samples[0]
    images = np.concatenate([part.images for part in samples])
    return Samples(images, np.concatenate([part.masks for part in samples]), samples[0].task)


def build(run):
    """Make the model of a run, and its encoder or None."""
    if run.family in ALONE:
        return ALONE[run.family](NUM_CLASSES), None
    weights = "imagenet" if run.start == "imagenet" else None
    made = []

    def lite0(output_stride):
        made.append(efficientnet_lite0(weights=weights, output_stride=output_stride))
        return made[-1]

    rates = tuple(round(rate * run.size[0] / FULL[0]) for rate in (4, 8, 12))
    return ON_LITE0[run.family](NUM_CLASSES, lite0, rates), made[0]


def compile_run(run, model, encoder, steps, masks):
    """Freeze what is not trained, and compile with the optimizer and the loss of a run."""
    if "batch_norm" in run.freeze:
        unfreeze(encoder, batch_norm=False)
    if "early" in run.freeze:
        freeze(keras.Model(encoder.inputs, encoder.outputs[1]))
    warmup = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=run.rate, warmup_steps=warmup
    )
    encoded = encoder.trainable_variables if encoder and run.encoder_rate != 1 else []
    optimizer = LayerwiseAdamW(
        {variable.path: run.encoder_rate for variable in encoded},
        learning_rate=schedule,
        weight_decay=0.02,
        global_clipnorm=1.0,
        use_ema=True,
        ema_momentum=min(0.99, max(0.0, 1 - 10 / steps)),  # of a short run, its last tenth
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    # The square root: thin classes are learnt early, and not painted thick.
    weights = np.sqrt(losses.median_frequency_weights(masks, NUM_CLASSES))
    loss = sum(LOSSES[term](weights) for term in run.loss.split("+"))
    model.compile(optimizer, loss, metrics=[metrics.MeanIoU(NUM_CLASSES)])


def augmentation(run):
    """Make the random scale, crop and mirror, in one resampling, and the colours of a run."""
    factor = run.size[0] / FULL[0]
    sides = tuple(round(run.crop * side) for side in run.size)
    scale = tuple(factor * end for end in run.scale)
    light = pipeline.photometric(brightness=0.1, contrast=0.3, saturation=0.3, gamma=0.3)
    return pipeline.chain(pipeline.warp(sides, scale=scale), light)


def shrunk(run):
    """Make the step that brings pictures to the size of a run, not at random."""
    return pipeline.warp(run.size, scale=(run.size[0] / FULL[0],) * 2, mirror=0)
