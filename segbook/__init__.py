"""segbook: the module behind the book *Semantic segmentation with Keras*."""

from segbook import runtime

runtime.import_keras_quietly()

from segbook import (  # noqa: E402  Keras must be imported quietly first
    attention,
    backbones,
    complexity,
    crf,
    datasets,
    inference,
    layers,
    losses,
    metrics,
    models,
    pipeline,
    pooling,
    training,
    viz,
    weights,
    worlds,
)

__all__ = [
    "attention",
    "backbones",
    "complexity",
    "crf",
    "datasets",
    "inference",
    "layers",
    "losses",
    "metrics",
    "models",
    "pipeline",
    "pooling",
    "runtime",
    "training",
    "viz",
    "weights",
    "worlds",
]
