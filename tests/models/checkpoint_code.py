"""The code of a tiny checkpoint that lmms-eval 0.7.3's `huggingface` wrapper can run under transformers 5.

The wrapper loads every model by `AutoModel`, which gives one without `generate`, and passes `audios`, which processors
refuse by now. So this code comes with the checkpoint, and is run with `trust_remote_code=True`.
"""

import torch
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor


class TinyModel(Qwen2_5_VLForConditionalGeneration):
    pass


class TinyThinker(Qwen2_5_VLForConditionalGeneration):
    """Always says the tokens `config.said`, whatever it is asked."""

    def generate(self, input_ids=None, **options):
        said = torch.tensor(self.config.said, device=input_ids.device).expand(len(input_ids), -1)
        return torch.cat([input_ids, said], dim=1)


class TinyProcessor(Qwen2_5_VLProcessor):
    def __call__(self, videos=None, audios=None, **inputs):
        return super().__call__(videos=videos or None, **inputs)
