"""From files on disk to `Samples`: download, find, decode, resize, load."""
