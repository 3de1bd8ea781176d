"""segbook: the module behind the book *Semantic segmentation with Keras*."""

from segbook import runtime

runtime.import_keras_quietly()

from segbook import (  # noqa: E402  Keras must be imported quietly first
    backbones,
    datasets,
    layers,
    losses,
    metrics,
    models,
    pipeline,
    viz,
    worlds,
)

__all__ = [
    "backbones",
    "datasets",
    "layers",
    "losses",
    "metrics",
    "models",
    "pipeline",
    "runtime",
    "viz",
    "worlds",
]
