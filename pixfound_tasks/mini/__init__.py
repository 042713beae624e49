"""The embedded model: a LLaVA with 1.2 million parameters, and the drawn scenes that it is trained on."""

from pathlib import Path

NAME = "pixfound/mini"


def weights_folder() -> Path:
    """Return the folder that `AutoModelForImageTextToText` and `AutoProcessor` load."""
    return Path(__file__).with_name("weights")
