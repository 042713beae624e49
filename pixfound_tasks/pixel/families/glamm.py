"""GLaMM: LLaVA with phrases in its answers, each with a mask of SAM, and boxes in its prompts.

Source: Rasheed et al., "GLaMM: Pixel Grounding Large Multimodal Model" (arXiv 2311.03356).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import init_empty_weights
from PIL import Image
from torch import Tensor, nn

from pixfound_tasks.images import as_rgb
from pixfound_tasks.pixel.base import PixelAnswer, PixelLook, PixelModel
from pixfound_tasks.pixel.checkpoint import Checkpoint, Rule, building
from pixfound_tasks.pixel.families.registry import Options
from pixfound_tasks.pixel.llava import load_llava
from pixfound_tasks.pixel.region_encoder import RegionEncoder
from pixfound_tasks.pixel.sam_decoder import SamDecoder

FRAME = "The <im_start><image><im_end> provides an overview of the picture.\n{}"
REGION = "<bbox>"
_PREFIX = "model.region_encoder."

Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the original image


@dataclass
class GlammModel(PixelModel):
    """GLaMM, whose prompts may hold `<bbox>` for boxes of the image.

    Attributes:
        regions: the region encoder; None if the checkpoint has none.
        region_token: the id of `<bbox>`.
    """

    regions: nn.Module | None = None
    region_token: int = -1

    def answer_all(
        self,
        images: Sequence[Image.Image],
        prompts: Sequence[str],
        boxes: Sequence[Sequence[Box]] | None = None,
        **generation: Any,
    ) -> list[PixelAnswer]:
        """Return one answer per prompt; see `PixelModel.answer_all`.

        `boxes` are those of each image, as many as its prompt has `<bbox>`.

        Raises:
            ValueError: if the numbers of boxes and `<bbox>` differ.
        """
        with self._with_boxes(images, prompts, boxes):
            return super().answer_all(images, prompts, **generation)

    def look_all(
        self,
        images: Sequence[Image.Image],
        prompts: Sequence[str],
        boxes: Sequence[Sequence[Box]] | None = None,
        **generation: Any,
    ) -> list[PixelLook]:
        """Return one answer per prompt with its attention; see `answer_all`."""
        with self._with_boxes(images, prompts, boxes):
            return super().look_all(images, prompts, **generation)

    @torch.inference_mode()
    def region_features(self, image: Image.Image, boxes: Sequence[Box]) -> Tensor:
        """Return the features of boxes, (boxes, width), that stand for `<bbox>`."""
        if self.regions is None:
            raise ValueError("expected a checkpoint with a region encoder for prompts with boxes, but it has none")
        picture = as_rgb(image)
        clip = self.model.model.vision_tower
        weight = next(self.regions.parameters())
        pixels = torch.from_numpy(self.processor.image_processor([picture])).to(clip.device, clip.dtype)
        states = clip(pixels, output_hidden_states=True).hidden_states
        size = torch.tensor([picture.width, picture.height] * 2)
        places = torch.tensor(boxes, dtype=torch.float32) / size
        return self.regions([each.to(weight) for each in states], places.to(weight))

    @contextmanager
    def _with_boxes(
        self, images: Sequence[Image.Image], prompts: Sequence[str], boxes: Sequence[Sequence[Box]] | None
    ) -> Iterator[None]:
        """Replace the embeddings of `<bbox>` by the features of the boxes, in order."""
        if boxes is None:
            yield
            return
        counts = [prompt.count(REGION) for prompt in prompts]
        if counts != [len(own) for own in boxes]:
            raise ValueError(
                f"expected as many boxes as the prompts have {REGION}, {counts}, but got {[len(own) for own in boxes]}"
            )
        features = [self.region_features(image, own) for image, own in zip(images, boxes) if len(own)]

        def put(_module: nn.Module, args: tuple[Any, ...], embedded: Tensor) -> Tensor:
            is_region = args[0] == self.region_token
            # Later passes have the generated tokens only, and a generated <bbox> stands for no box.
            if not features or int(is_region.sum()) != sum(counts):
                return embedded
            return embedded.masked_scatter(is_region[..., None], torch.cat(features).to(embedded))

        hook = self.model.get_input_embeddings().register_forward_hook(put)
        try:
            yield
        finally:
            hook.remove()


def load_glamm(checkpoint: Checkpoint, options: Options) -> PixelModel:
    """Return GLaMM. The state that predicts [SEG] prompts SAM; answers are shown without its tokens, also [SEG]."""
    more: dict[str, nn.Module] = {}
    if any(key.startswith(_PREFIX) for key in checkpoint.shapes):
        with building(checkpoint.folder), init_empty_weights():
            more["regions"] = RegionEncoder(checkpoint.shapes, _PREFIX)
    rules = [Rule(r"model\.region_encoder\.(.+)", r"more.regions.\1")]
    parts = load_llava(
        checkpoint,
        options,
        "grounding_encoder",
        FRAME,
        hidden=("[SEG]", "<p>", "</p>", "<im_start>", "<im_end>", "<bbox>", "<point>"),
        more=more,
        rules=rules,
    )
    added = parts.processor.tokenizer.added
    return GlammModel(
        "glamm",
        parts.model,
        parts.processor,
        parts.projection,
        SamDecoder(parts.sam),
        parts.mask_token,
        counts_prompt=True,
        phrase_tokens=(added["<p>"], added["</p>"]) if "<p>" in added and "</p>" in added else None,
        regions=parts.more["regions"] if more else None,
        region_token=added.get(REGION, -1),
    )
