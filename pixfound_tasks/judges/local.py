"""A judge that is a transformers model on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor

from pixfound_tasks.attention.inputs import answer_ids, end_tokens, prompt_inputs
from pixfound_tasks.hosts.model_config import hub_revision
from pixfound_tasks.judges.base import JudgeDown, NoReply, OneImageOnly, check_images
from pixfound_tasks.judges.thinking import whole_reply

if TYPE_CHECKING:
    from PIL import Image

MAX_NEW_TOKENS = 64  # for a yes, a no or a number
MAX_NEW_TOKENS_WRITING = 1024  # as for a judge on a server


class LocalJudge:
    """An image-text-to-text model, or a causal language model if the checkpoint has no image processor.

    Decoding is greedy. A reply that ends while the model is thinking is generated again with more tokens. The processor
    is loaded at once, so that an incorrect name fails early. The weights are loaded at the first question, after the
    evaluated model has been freed, on CUDA if available. Raises ValueError if the checkpoint does not exist.
    """

    def __init__(self, checkpoint: str, max_new_tokens: int = MAX_NEW_TOKENS) -> None:
        self.name = f"local:{checkpoint}"
        try:
            self._processor = AutoProcessor.from_pretrained(checkpoint, trust_remote_code=False)
            revision = hub_revision(AutoConfig.from_pretrained(checkpoint, trust_remote_code=False))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"expected the judge {self.name!r} to name a transformers checkpoint, but its processor or tokenizer "
                f"does not load ({error}); check the name, or the folder"
            ) from error
        self.settings: dict[str, Any] = {
            "max_new_tokens": max_new_tokens, "revision": revision, "files": _files(Path(checkpoint))
        }  # fmt: skip
        self.takes_images = hasattr(self._processor, "image_processor")
        self._checkpoint = checkpoint
        self._model: Any = None
        self._lock = Lock()

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """Return the reply. Threads take turns.

        Raises what every judge may raise, `NoReply` if the reply ends while the model is thinking, and ValueError if
        there are images and the judge accepts none.
        """
        if images and not self.takes_images:
            raise ValueError(f"expected a judge that takes images, but {self.name} reads text only; choose another one")
        with self._lock:
            try:
                if self._model is None:
                    self._model = self._load()
                check_images(self._model.config, images)
                return self._generate(prompt, [image.convert("RGB") for image in images])
            except (OneImageOnly, NoReply):
                raise
            except Exception as error:  # a checkpoint or a full memory may raise any kind of error
                raise JudgeDown(f"{self.name} does not run: {type(error).__name__}: {error}") from error

    def _load(self) -> Any:
        kind = AutoModelForImageTextToText if self.takes_images else AutoModelForCausalLM
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return kind.from_pretrained(self._checkpoint, dtype="auto", device_map=device, trust_remote_code=False).eval()

    @torch.inference_mode()
    def _generate(self, prompt: str, images: list[Image.Image]) -> str:
        device, dtype = self._model.device, self._model.dtype
        if images:
            inputs = prompt_inputs(self._processor, [images], [prompt], {}).to(device, dtype)
        else:
            inputs = self._text_inputs(prompt).to(device)
        ends = end_tokens({}, self._model.generation_config)

        def generate(limit: int) -> tuple[str, int]:
            sequences = self._model.generate(**inputs, do_sample=False, max_new_tokens=limit)
            (ids,) = answer_ids(sequences, inputs["input_ids"].shape[1], ends)
            return self._tokenizer.decode(ids, skip_special_tokens=True).strip(), len(ids)

        return whole_reply(self.name, self._processor, self.settings["max_new_tokens"], generate)

    @property
    def _tokenizer(self) -> Any:
        return getattr(self._processor, "tokenizer", self._processor)

    def _text_inputs(self, prompt: str) -> Any:
        """Return the inputs of a prompt without images, formatted by the chat template if there is one."""
        text = prompt
        if getattr(self._processor, "chat_template", None):
            content = [{"type": "text", "text": prompt}] if self.takes_images else prompt
            messages = [{"role": "user", "content": content}]
            text = self._processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        bos = self._tokenizer.bos_token
        is_begun = bool(bos) and text.startswith(bos)  # the template has added it
        return self._tokenizer(text, add_special_tokens=not is_begun, return_token_type_ids=False, return_tensors="pt")


def _files(folder: Path) -> list[list[Any]]:
    """Return name, size and modification time of a checkpoint folder's files.

    They are part of the cache key, so that replies of weights that have changed since are not reused.
    """
    if not folder.is_dir():
        return []
    found = ((path, path.stat()) for path in sorted(folder.iterdir()) if path.is_file())
    return [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in found]
