"""Encoder-decoders, and decoders that read the image through cross-attention."""

from __future__ import annotations

from typing import Any

import torch
import transformers as hf
from attention.zoo.zoo_parts import (
    IDS,
    SIDE,
    SQUARE,
    WIDTH,
    Images,
    Parts,
    call_flat,
    call_padded_right,
    make_tokenizer,
    text,
    vision,
)
from attention.zoo.zoo_squares import window_tower


def blip() -> Parts:
    processor = hf.BlipProcessor(hf.BlipImageProcessor(size=SQUARE), make_tokenizer())
    config = hf.BlipConfig(
        text_config=text(encoder_hidden_size=32, projection_dim=32, sep_token_id=2), vision_config=vision(),
        projection_dim=32, image_text_hidden_size=32,
    )  # fmt: skip
    return Parts(
        processor, hf.BlipForConditionalGeneration, config, "", {}, call_flat, 1,
        note="the decoder cross-attends to the patches",
    )  # fmt: skip


def idefics() -> Parts:
    processor = hf.IdeficsProcessor(
        hf.IdeficsImageProcessor(image_size=SIDE, size=SQUARE), make_tokenizer(), image_size=SIDE
    )
    config = hf.IdeficsConfig(
        **text(), vision_config=dict(
            embed_dim=32, image_size=SIDE, intermediate_size=64, patch_size=14, num_hidden_layers=2,
            num_attention_heads=4,
        ),
        cross_layer_interval=1, alpha_initializer="ones",
    )  # fmt: skip
    return Parts(
        processor, hf.IdeficsForVisionText2Text, config, "", {}, _call_idefics, 2,
        note="every layer cross-attends to the patches of the prompt's images",
    )  # fmt: skip


def _call_idefics(processor: Any, images: Images, texts: list[str], **options: Any) -> Any:
    prompts = [[*own, prompt] for own, prompt in zip(images, texts)]
    return processor(text=prompts, return_tensors="pt", padding="longest", padding_side="left", **options)


def florence2() -> Parts:
    pictures = hf.CLIPImageProcessor(
        size={"height": 256, "width": 256}, do_center_crop=False, crop_size={"height": 256, "width": 256}
    )
    pictures.image_seq_length = 65
    processor = hf.Florence2Processor(pictures, make_tokenizer(image_token="<image>"))
    tower = dict(
        depths=[1, 1, 1, 1], embed_dim=[16, 16, 32, 32], num_heads=[2, 2, 4, 4], num_groups=[2, 2, 4, 4],
        window_size=4, drop_path_rate=0.0, projection_dim=WIDTH, max_position_embeddings=16,
    )  # fmt: skip
    decoder = dict(
        model_type="bart", vocab_size=len(IDS), d_model=WIDTH, encoder_layers=2, decoder_layers=3,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=96, decoder_ffn_dim=96,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None,
        max_position_embeddings=512,
    )  # fmt: skip
    config = hf.Florence2Config(text_config=decoder, vision_config=tower, image_token_id=IDS["<image>"])
    return Parts(
        processor, hf.Florence2ForConditionalGeneration, config, "", {}, call_padded_right, 1, image_token="<image>",
        note="the decoder cross-attends to the encoder's image tokens",
    )  # fmt: skip


def pix2struct() -> Parts:
    processor = hf.Pix2StructProcessor(hf.Pix2StructImageProcessor(), make_tokenizer())
    config = hf.Pix2StructConfig(
        text_config=dict(
            vocab_size=len(IDS), hidden_size=WIDTH, d_kv=16, d_ff=96, num_layers=3, num_heads=4, eos_token_id=2,
            dropout_rate=0.0, use_cache=True,
        ),
        vision_config=dict(
            hidden_size=WIDTH, d_ff=64, d_kv=16, num_hidden_layers=2, num_attention_heads=4, seq_len=64,
            dropout_rate=0.0,
        ),
    )  # fmt: skip
    return Parts(
        processor, hf.Pix2StructForConditionalGeneration, config, "", {"max_patches": 36}, _call_pix2struct, 1,
        note="the decoder cross-attends to the patches", patch=_calm,
    )  # fmt: skip


@torch.no_grad()
def _calm(model: Any) -> None:
    """Its scores are not divided by a head's width: with large weights, rounding errors would decide the softmax."""
    for name, parameter in model.named_parameters():
        if name.endswith(("query.weight", "key.weight")):
            parameter.mul_(0.1)


def _call_pix2struct(processor: Any, images: Images, texts: list[str], **options: Any) -> Any:
    flat = [image for own in images for image in own]
    inputs = processor(images=flat, text=list(texts), return_tensors="pt", padding=True, **options)
    for name in ("input_ids", "labels", "decoder_input_ids", "decoder_attention_mask"):
        inputs.pop(name, None)
    return inputs


def pp_formulanet() -> Parts:
    processor = hf.PPFormulaNetProcessor(
        hf.PPFormulaNetImageProcessor(size={"height": 64, "width": 64}), make_tokenizer()
    )
    config = hf.PPFormulaNetConfig(
        text_config=dict(
            vocab_size=len(IDS), d_model=WIDTH, decoder_layers=3, decoder_ffn_dim=96, decoder_attention_heads=4,
            encoder_attention_heads=4, max_position_embeddings=512, pad_token_id=0, bos_token_id=1, eos_token_id=2,
            dropout=0.0, forced_eos_token_id=None,
        ),
        vision_config=window_tower(
            post_conv_in_channels=16, post_conv_mid_channels=32, post_conv_out_channels=32, decoder_hidden_size=WIDTH
        ),
    )  # fmt: skip
    return Parts(
        processor, hf.PPFormulaNetForConditionalGeneration, config, "", {"do_crop_margin": False}, _call_without_text,
        1, note="reads no prompt; the decoder cross-attends to the patches; with `do_crop_margin=False`, since "
        "otherwise its processor crops each image by its content",
    )  # fmt: skip


def _call_without_text(processor: Any, images: Images, texts: list[str], **options: Any) -> Any:
    return processor(images=[image for own in images for image in own], return_tensors="pt", **options)


def t5gemma2() -> Parts:
    processor = hf.Gemma3Processor(
        hf.Gemma3ImageProcessor(size=SQUARE),
        make_tokenizer(image_token="<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>"),
        image_seq_length=4,
    )  # fmt: skip
    layers = ["sliding_attention", "full_attention", "sliding_attention"]
    decoder = text(head_dim=16, layer_types=layers, sliding_window=16, query_pre_attn_scalar=16)
    encoder = dict(
        text_config=decoder, vision_config=vision("siglip_vision_model", vision_use_head=False), mm_tokens_per_image=4,
        image_token_index=IDS["<image_soft_token>"], boi_token_index=IDS["<start_of_image>"],
        eoi_token_index=IDS["<end_of_image>"],
    )  # fmt: skip
    config = hf.T5Gemma2Config(encoder=encoder, decoder=decoder, image_token_index=IDS["<image_soft_token>"])
    return Parts(
        processor, hf.T5Gemma2ForConditionalGeneration, config, "<start_of_image>", image_token="<image_soft_token>",
        note="one attention over the decoder's own tokens and the encoder's",
    )  # fmt: skip


def udop() -> Parts:
    processor = hf.UdopProcessor(hf.LayoutLMv3ImageProcessor(apply_ocr=False, size=SQUARE), _udop_tokenizer())
    config = hf.UdopConfig(
        vocab_size=len(IDS), d_model=WIDTH, d_kv=16, d_ff=96, num_layers=3, num_decoder_layers=3, num_heads=4,
        image_size=SIDE, patch_size=14, pad_token_id=0, eos_token_id=2, decoder_start_token_id=0, dropout_rate=0.0,
    )  # fmt: skip
    return Parts(
        processor, hf.UdopForConditionalGeneration, config, "", {}, _call_udop, 1,
        image_mask=_udop_patches, note="the decoder cross-attends to the encoder's words and patches",
    )  # fmt: skip


def _udop_tokenizer() -> Any:
    pieces = [(word, -float(index)) for index, word in enumerate(IDS)]
    return hf.UdopTokenizer(vocab=pieces, unk_token="<unk>", pad_token="<pad>", eos_token="</s>", sep_token="</s>")


def _call_udop(processor: Any, images: Images, texts: list[str], **options: Any) -> Any:
    flat = [image for own in images for image in own]
    words = [prompt.split() for prompt in texts]
    boxes = [[[10, 10, 20, 20]] * len(own) for own in words]
    return processor(images=flat, text=words, boxes=boxes, return_tensors="pt", padding=True, **options)


def _udop_patches(model: Any, inputs: Any) -> torch.Tensor:
    """Patches follow the words in the encoder. A patch that holds a word is added to the word instead."""
    words = inputs["input_ids"].shape[1]
    mask = torch.zeros(len(inputs["input_ids"]), words + (SIDE // 14) ** 2, dtype=torch.bool)
    mask[:, words:] = True
    return mask


def vision_encoder_decoder() -> Parts:
    decoder = hf.GPT2Config(
        vocab_size=len(IDS), n_embd=WIDTH, n_layer=3, n_head=4, n_positions=512, is_decoder=True,
        add_cross_attention=True, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    encoder = hf.ViTConfig(**vision())
    config = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id = 1, 0
    processor = hf.TrOCRProcessor(hf.ViTImageProcessor(size=SQUARE), make_tokenizer())
    return Parts(
        processor, hf.VisionEncoderDecoderModel, config, "", {}, _call_without_text, 1,
        note="reads no prompt; the decoder cross-attends to the patches",
    )  # fmt: skip
