"""The classes of ImageNet."""

import importlib.resources


def imagenet_class_names():
    """List the 1000 classes of ImageNet's challenge (Russakovsky et al., 2015), in their order.

    Returns:
        A list of names, the first words that WordNet has for each class: names[698] is "palace".
    """
    file = importlib.resources.files("segbook.backbones") / "imagenet_classes.txt"
    return file.read_text(encoding="utf-8").splitlines()
