"""The embedded model: a LLaVA of 1.2 million parameters and the drawn scenes it knows."""

from pathlib import Path

NAME = "pixfound/mini"


def weights_folder() -> Path:
    """The folder that `AutoModelForImageTextToText` and `AutoProcessor` load."""
    return Path(__file__).with_name("weights")
