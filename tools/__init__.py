"""The author's desk: run as `python -m tools.NAME` in the root of the repository."""
