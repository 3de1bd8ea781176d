"""Embedded worlds: procedural pictures with exact masks, made with NumPy alone."""

from .streets import streets

__all__ = ["streets"]
