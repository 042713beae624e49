"""Pixel-level models: language models that draw masks, built from transformers' own parts."""
