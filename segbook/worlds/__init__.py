"""Embedded worlds: procedural pictures with exact masks, made with NumPy."""

from .digits import digit_crops, digits
from .echo import echo
from .streets import streets

__all__ = ["digit_crops", "digits", "echo", "streets"]
