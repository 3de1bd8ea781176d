"""Embedded worlds: procedural pictures with exact masks, made with NumPy."""

from segbook.worlds.cues import cues
from segbook.worlds.digits import digit_crops, digits
from segbook.worlds.echo import echo
from segbook.worlds.faces import Faces, faces
from segbook.worlds.street_film import street_film
from segbook.worlds.streets import streets

__all__ = ["Faces", "cues", "digit_crops", "digits", "echo", "faces", "street_film", "streets"]
