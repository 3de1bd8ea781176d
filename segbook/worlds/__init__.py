"""Embedded worlds: procedural pictures with exact masks, made with NumPy."""

from segbook.worlds.aerial import aerial
from segbook.worlds.cells import cells
from segbook.worlds.cracks import cracks
from segbook.worlds.cues import cues
from segbook.worlds.digits import digit_crops, digits
from segbook.worlds.echo import echo
from segbook.worlds.lesions import lesions
from segbook.worlds.organs import organs
from segbook.worlds.street_film import street_film
from segbook.worlds.streets import streets

__all__ = [
    "aerial",
    "cells",
    "cracks",
    "cues",
    "digit_crops",
    "digits",
    "echo",
    "lesions",
    "organs",
    "street_film",
    "streets",
]
