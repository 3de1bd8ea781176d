"""Weights that others trained: read PyTorch's files without PyTorch, and give them to models."""

from segbook.pretrained.assign import assign_tensors
from segbook.pretrained.torchfile import load_tensors
from segbook.pretrained.torchvision import load_torchvision

__all__ = ["assign_tensors", "load_tensors", "load_torchvision"]
