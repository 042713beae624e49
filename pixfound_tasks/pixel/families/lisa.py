"""LISA: LLaVA whose [SEG] prompts SAM (Lai et al., "LISA: Reasoning Segmentation via Large Language Model")."""

from __future__ import annotations

from pixfound_tasks.pixel.base import PixelModel
from pixfound_tasks.pixel.checkpoint import Checkpoint
from pixfound_tasks.pixel.families.registry import Options
from pixfound_tasks.pixel.llava import load_llava
from pixfound_tasks.pixel.sam_decoder import SamDecoder

FRAME = "<im_start><image><im_end>\n{}"
PLAIN_FRAME = "<image>\n{}"  # of checkpoints without these two tokens


def load_lisa(checkpoint: Checkpoint, options: Options) -> PixelModel:
    """Return LISA. The state that predicts [SEG] prompts SAM; [SEG] stays in the text, as in the authors' chat.py."""
    is_framed = checkpoint.config.get("mm_use_im_start_end", True)
    parts = load_llava(checkpoint, options, "visual_model", FRAME if is_framed else PLAIN_FRAME)
    return PixelModel(
        "lisa",
        parts.model,
        parts.processor,
        parts.projection,
        SamDecoder(parts.sam),
        parts.mask_token,
        counts_prompt=True,
    )
