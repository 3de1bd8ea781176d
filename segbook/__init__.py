"""segbook: the module behind the book *Semantic segmentation with Keras*."""
