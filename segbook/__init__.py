"""segbook: the module behind the book *Semantic segmentation with Keras*."""

from segbook import runtime

runtime.import_keras_quietly()

from segbook import (  # noqa: E402  Keras must be imported quietly first
    backbones,
    baselines,
    complexity,
    crf,
    datasets,
    detection,
    inference,
    layers,
    losses,
    metrics,
    models,
    pipeline,
    pretrained,
    training,
    viz,
    worlds,
)

__all__ = [
    "backbones",
    "baselines",
    "complexity",
    "crf",
    "datasets",
    "detection",
    "inference",
    "layers",
    "losses",
    "metrics",
    "models",
    "pipeline",
    "pretrained",
    "runtime",
    "training",
    "viz",
    "worlds",
]
