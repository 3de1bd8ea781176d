"""Segmentation models, one family a file."""
