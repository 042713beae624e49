"""One model, which reads its replies from a file: by dataset, then by index."""

import json
import weakref
from pathlib import Path

ALIVE = []


class Reader:
    def __init__(self, model_path):
        self.replies = json.loads(Path(model_path).read_text())
        self.weights = bytearray(10)
        ALIVE.append(weakref.ref(self))

    def use_custom_prompt(self, dataset):
        return True

    def build_prompt(self, line, dataset):
        raise AssertionError("a prompt of the model's own")

    def generate(self, message, dataset):
        image, text = message
        assert Path(image["value"]).is_file() and text["type"] == "text"
        return self.replies[dataset][Path(image["value"]).stem]
