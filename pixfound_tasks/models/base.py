"""What our lmms-eval models share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, NoReturn

from accelerate import Accelerator
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from lmms_eval.models.model_utils.gen_metrics import log_metrics
from PIL import Image

from pixfound_tasks.benchmarks.expressions import prompted_expression
from pixfound_tasks.choices import check_choice
from pixfound_tasks.images import without_alpha
from pixfound_tasks.protocols import protocol_of


class Request(NamedTuple):
    """What a model may know about a document: the whole prompt, and nothing of the ground truth.

    `image_id` and `file` are the document's id and the name of its image file. `doc_id` is its index in the task.
    `expression` is None if the task has none for the model to ground. `box_prompt` is the task's own prompt for boxes
    or points, None if it has none.
    """

    task: str
    protocol: str  # "choice", "open" or "referring"; "choice" for tasks of other packages
    doc_id: int
    image_id: str
    file: str  # "ADE_val_00000248.jpg"; "" if the document has none
    image: Image.Image
    prompt: str
    generation: dict[str, Any]
    expression: str | None
    box_prompt: str | None = None


class ChatModel(lmms):
    """A model that answers each document with one string.

    It knows its rank if several processes share the documents.
    """

    is_simple = False
    chat_template: str | None = None  # what `--apply_chat_template` logs
    tokenizer_name = ""

    def __init__(self) -> None:
        super().__init__()
        self.accelerator = Accelerator()
        self.device = self.accelerator.device
        self._rank = self.accelerator.process_index
        self._world_size = self.accelerator.num_processes

    def unpack(self, instance: Instance) -> Request:
        _, doc_to_messages, generation, doc_id, task, split = instance.args
        doc = self.task_dict[task][split][doc_id]
        parts = [part for message in doc_to_messages(doc) for part in message["content"]]
        images = [part["url"] for part in parts if part["type"] == "image"]
        if len(images) != 1:
            raise ValueError(f"expected one image per document, but document {doc_id} of {task} has {len(images)}")
        prompt = "\n".join(part["text"] for part in parts if part["type"] == "text")
        found = protocol_of(task) if "expression" in doc else None
        protocol = found.asks if found else "choice"
        # If the question is about no object, the expression is "None", as in the study.
        expression = None if protocol == "choice" else prompted_expression(doc)
        image, identifier, file = without_alpha(images[0]), str(doc.get("id", doc_id)), str(doc.get("file") or "")
        template = doc.get("box_template")
        box_prompt = template.format(expression) if template else None
        return Request(
            task, protocol, doc_id, identifier, file, image, prompt, dict(generation), expression, box_prompt
        )

    def apply_chat_template(self, messages: list[dict[str, Any]], add_generation_prompt: bool = True) -> str:
        """The text of the messages, which lmms-eval logs as the prompt with `--apply_chat_template`.

        A model gets the messages themselves, with the image, and always applies its own template.
        """
        return "\n\n".join(str(message["content"]) for message in messages)

    def loglikelihood(self, requests: list[Instance]) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} generates answers; it cannot score given ones")

    def generate_until_multi_round(self, requests: list[Instance]) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} answers in one round; it has no multi-round generation")


def check_arguments(unknown: dict[str, Any], known: Iterable[str]) -> None:
    """Raise ValueError for any model argument that the model does not read."""
    for name in unknown:
        check_choice("a model argument", name, known)


def timed(answers: Iterable[tuple[str, int | None]], count: int) -> Iterator[GenerationResult]:
    """The `count` answers with their token counts, as lmms-eval takes them, one by one as they are made.

    So `--use_cache` keeps each answer at once, and a run that is killed loses at most one batch, or two if answers are
    grounded while the next batch is generated (see `overlap`). The speed is logged
    before the last answer is yielded, because lmms-eval does not resume the iterator after it.
    """
    start, tokens = time.monotonic(), 0
    for number, (text, length) in enumerate(answers, 1):
        tokens += length or 0
        if number == count:
            seconds = time.monotonic() - start
            speed = tokens / seconds if seconds else 0.0
            log_metrics(total_elapsed_time=seconds, total_gen_tokens=tokens, avg_speed=speed)
        yield GenerationResult(text, TokenCounts(output_tokens=length))
