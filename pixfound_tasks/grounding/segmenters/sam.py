"""SAM, SAM-HQ, SAM 2 and the tracker of SAM 3 from transformers: three masks for each point or box.

A prompt is one foreground point or one box. The masks are the model's multimask output, upscaled to the image and
thresholded at a logit of 0. The scores are the model's own predictions of each mask's IoU (Kirillov et al. 2023,
section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from PIL import Image

from pixfound_tasks import masks
from pixfound_tasks.choices import check_choice
from pixfound_tasks.response import Box, Candidate, Point

PROMPTS_PER_FORWARD = 64  # bounds the mask decoder's memory, as SAM's own mask generator does

_DTYPES = ("float32", "bfloat16", "float16")
# For each family, the `model_type` values of its checkpoints and their processors. The checkpoint of a video model
# contains the image model; SAM 2 and SAM 3 are published that way.
_PROCESSORS = {
    "sam": {"sam": "SamProcessor", "sam_hq": "SamHQProcessor"},
    "sam2": {"sam2": "Sam2Processor", "sam2_video": "Sam2Processor"},
    "sam3": {"sam3_tracker": "Sam3TrackerProcessor", "sam3_video": "Sam3TrackerProcessor"},
}
_ARGUMENTS = {2: "input_points", 4: "input_boxes"}  # the key is how many numbers a prompt has


class SamSegmenter:
    """A SAM from transformers. The image encoder runs once per image, the mask decoder once per 64 prompts.

    If `multimask` is set to False, there is one mask for each prompt: the model's own single mask.
    """

    multimask = True

    def __init__(self, family: str, checkpoint: str, device: str | None = None, dtype: str = "float32"):
        """Load a checkpoint from a folder or the hub; see `make_segmenter`."""
        check_choice("the segmenter's dtype", dtype, _DTYPES)
        self.name = f"{family}:{checkpoint}"
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._processor, model = _load(family, checkpoint, dtype)
        self._model = model.to(self._device).eval()

    @torch.inference_mode()
    def set_image(self, image: np.ndarray) -> None:
        """Set and encode the image, uint8 (height, width, 3) RGB."""
        # A PIL image, because the processor mistakes the rows of an array that is three pixels high for channels.
        inputs = self._processor(images=Image.fromarray(image), return_tensors="pt")
        pixels = inputs["pixel_values"]
        encoded = self._model.get_image_embeddings(pixels.to(self._device, self._model.dtype))
        names = ("image_embeddings", "intermediate_embeddings")  # the latter only from SAM-HQ
        sizes = [inputs[name].tolist() for name in ("original_sizes", "reshaped_input_sizes") if name in inputs]
        # The image fills a corner of the model's square (SAM, which pads) or all of it (SAM 2 and 3).
        frame = sizes[1][0] if len(sizes) > 1 else pixels.shape[-2:]
        embeddings = dict(zip(names, encoded if isinstance(encoded, tuple) else (encoded,)))
        self._image = _Encoded(embeddings, sizes, (frame[1], frame[0]))

    def segment(self, prompts: Sequence[Point | Box]) -> list[tuple[Candidate, ...]]:
        """Return three candidates, or one, for each point or box in fractions of width and height."""
        found: dict[int, tuple[Candidate, ...]] = {}
        for length in _ARGUMENTS:
            indices = [index for index, prompt in enumerate(prompts) if len(prompt) == length]
            for start in range(0, len(indices), PROMPTS_PER_FORWARD):
                batch = indices[start : start + PROMPTS_PER_FORWARD]
                found |= zip(batch, self._candidates([prompts[index] for index in batch]))
        return [found[index] for index in range(len(prompts))]

    def segment_objects(self, objects: Sequence[tuple[Box, Sequence[Point]]]) -> list[tuple[Candidate, ...]]:
        """Return three candidates, or one, for each object, given by its box and foreground points in it together.

        All objects have the same number of points.
        """
        found: list[tuple[Candidate, ...]] = []
        for start in range(0, len(objects), PROMPTS_PER_FORWARD):
            boxes, points = zip(*objects[start : start + PROMPTS_PER_FORWARD])
            found += self._found({"input_boxes": self._places(boxes).flatten(2), "input_points": self._places(points)})
        return found

    def _candidates(self, prompts: Sequence[Point | Box]) -> list[tuple[Candidate, ...]]:
        """Return the candidates of prompts that are all points or all boxes."""
        argument, places = _ARGUMENTS[len(prompts[0])], self._places(prompts)
        return self._found({argument: places.flatten(2) if argument == "input_boxes" else places})

    def _places(self, prompts: Sequence[Any]) -> torch.Tensor:
        """Return the places of prompts of one length in the model's square: (1, prompts, places, 2)."""
        image = self._image
        # The order of operations and the precision are those of each family's processor, so that the results are equal.
        size = np.array(image.sizes[0][0][::-1])
        pixels = torch.tensor(np.reshape(prompts, (1, len(prompts), -1, 2)) * size, dtype=image.precision)
        return (pixels * torch.tensor(image.frame / size, dtype=image.precision)).to(self._device)

    @torch.inference_mode()
    def _found(self, given: dict[str, torch.Tensor]) -> list[tuple[Candidate, ...]]:
        """Return the candidates of prompts, given as arguments of the model."""
        image, candidates = self._image, []
        output = self._model(**image.embeddings, **given, multimask_output=self.multimask)
        for index, scores in enumerate(output.iou_scores[0].float().tolist()):
            # One prompt at a time: the masks of 64 prompts on a large photograph would fill the memory.
            logits = output.pred_masks[:, index : index + 1].float()
            found = self._processor.post_process_masks(logits, *image.sizes)[0][0].cpu().numpy()
            candidates.append(tuple(Candidate(masks.encode(mask), score) for mask, score in zip(found, scores)))
        return candidates


class _Encoded(NamedTuple):
    """An encoded image.

    `embeddings` are arguments of the model. `sizes` are arguments of the processor's `post_process_masks`. `frame` is
    the (width, height) in pixels of the image as resized for the model.
    """

    embeddings: dict[str, Any]
    sizes: list[list[list[int]]]
    frame: tuple[int, int]

    @property
    def precision(self) -> torch.dtype:
        return torch.float64 if len(self.sizes) > 1 else torch.float32


def _load(family: str, checkpoint: str, dtype: str) -> tuple[Any, Any]:
    """Load the processor and the model of a checkpoint. Raises ValueError, see `make_segmenter`."""
    kinds = _PROCESSORS[family]
    try:
        config = transformers.AutoConfig.from_pretrained(checkpoint, trust_remote_code=False)
        if config.model_type in kinds:
            processor = getattr(transformers, kinds[config.model_type]).from_pretrained(
                checkpoint, trust_remote_code=False
            )
            model, loading = transformers.AutoModelForMaskGeneration.from_pretrained(
                checkpoint, dtype=dtype, output_loading_info=True, trust_remote_code=False
            )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"expected a SAM checkpoint, but got {checkpoint!r}, which cannot be loaded ({reason}); put it "
            f"in the hub's cache, give a folder ({family}:FOLDER), or segment without weights: segmenter=region or "
            "PIXFOUND_SEGMENTER=region"
        ) from error
    if config.model_type not in kinds:
        right = [f"; write {other}:{checkpoint}" for other, types in _PROCESSORS.items() if config.model_type in types]
        raise ValueError(
            f"expected a checkpoint of {' or '.join(kinds)} after {family + ':'!r}, but got {checkpoint!r}, which is "
            f"of {config.model_type}{''.join(right)}"
        )
    if loading["missing_keys"]:
        lacking = sorted(loading["missing_keys"])
        raise ValueError(
            f"expected all weights of a {config.model_type}, but got {checkpoint!r}, which lacks {len(lacking)} of "
            f"them ({lacking[0]}, ...); take a complete checkpoint"
        )
    return processor, model
