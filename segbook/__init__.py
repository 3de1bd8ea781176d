"""segbook: the module behind the book *Semantic segmentation with Keras*."""

from segbook import runtime

runtime.import_keras_quietly()
