"""`python -m segbook predict MODEL PICTURES --out FOLDER`."""

import argparse
import sys
import warnings

from PIL import Image

from segbook import predict, progress, runtime


def main(arguments=None) -> int:
    """Run a command.

    Args:
        arguments: What follows `python -m segbook`; None for what was typed.

    Returns:
        The exit status: 0, or 1 where something could not be done.
    """
    parser = argparse.ArgumentParser("python -m segbook", description="Use what the book trains.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "predict",
        help="segment pictures with a saved model",
        description="Segment pictures with a saved model: a mask and an overlay of each.",
    )
    command.add_argument("model", metavar="MODEL", help="file of a Keras model, such as a.keras")
    command.add_argument("pictures", metavar="PICTURE", nargs="+", help="of any size and kind")
    command.add_argument("--out", metavar="FOLDER", required=True, help="where masks go")
    command.add_argument(
        "--classes",
        metavar="NAMES",
        help="names with commas between; default: those of a.classes.txt beside a.keras, if any",
    )
    command.add_argument(
        "--size",
        metavar=("HEIGHT", "WIDTH"),
        nargs=2,
        type=int,
        help="what pictures are resized to for the model; masks have the pictures' own size",
    )
    command.add_argument(
        "--overlay",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="save each mask laid over its picture, too",
    )
    given = parser.parse_args(arguments)
    runtime.start()
    names = given.classes and [name.strip() for name in given.classes.split(",")]
    size = given.size and tuple(given.size)
    failed, count = 0, len(given.pictures)
    with warnings.catch_warnings(), progress.line() as show:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        show(f"loading {given.model}")
        try:
            done = predict.predict_files(
                given.model,
                given.pictures,
                given.out,
                class_names=names,
                size=size,
                overlay=given.overlay,
            )
            for number, (picture, problem) in enumerate(done, 1):
                if problem:
                    failed += 1
                    show(f"{picture}: {problem}", stays=True)
                show(f"{number} of {count} pictures")
        except (OSError, ValueError) as error:
            show(str(error), stays=True)
            return 1
    print(f"{count - failed} of {count} pictures segmented, in {given.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
