"""The embedded models: two tiny LLaVAs from one base, of which one draws masks, and the scenes they are trained on."""

from pathlib import Path

NAME = "pixfound/mini"
SEG_NAME = "pixfound/mini-seg"
NAMES = (NAME, SEG_NAME)


def weights_folder(name: str = NAME) -> Path:
    """Return the folder of a model's files.

    Of `pixfound/mini`, `AutoModelForImageTextToText` and `AutoProcessor` load it. That of `pixfound/mini-seg` is in the
    layout of LISA, which `pixfound_tasks.pixel` loads.
    """
    return Path(__file__).with_name("weights" if name == NAME else "weights_seg")
