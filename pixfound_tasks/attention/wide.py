"""Look once, and keep all that can be browsed afterward: every reducer's values, and layers and heads apart."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from loguru import logger

from pixfound_tasks.attention.head_rows import HeadRows
from pixfound_tasks.attention.look import Look
from pixfound_tasks.attention.recorded_batch import generic_rows
from pixfound_tasks.attention.recorder import choose_layers, image_attention_modules, record_attention
from pixfound_tasks.attention.reducers import REDUCERS, Recorded, non_finite_rows_to_nan
from pixfound_tasks.hosts.attention_modules import reads_encoder
from pixfound_tasks.hosts.model_config import head_count
from pixfound_tasks.images import as_rgb

if TYPE_CHECKING:
    from pixfound_tasks.attention.lens import AnyImage, Lens
    from pixfound_tasks.attention.record import AttentionRecord

MOST_BYTES = 2 * 10**9  # of attention by layer and head while it is recorded, in float32
DEFAULT_TOKENS = 256  # of an answer, if the caller sets no limit


class _Records(NamedTuple):
    """What is recorded beside the lens's own recording; None if it is not."""

    heads: AttentionRecord | None
    plain: AttentionRecord
    weighted: AttentionRecord


def look_widely(lens: Lens, image: AnyImage, prompt: str, keep_heads: bool = True, **generation: Any) -> Look:
    """Return a look of one image that keeps the values of the other reducers in `others`, and `heads`.

    The answer is generated once. Reducers that the model does not suit are left out, and so is "heads", which needs
    other heads recorded; with the reducer "heads" of the lens, only its own values are kept. The reducer "relative"
    runs the model on its general prompt in addition.

    Args:
        lens: the lens, whose reducer gives the look's `values`.
        image: as in `Lens.look`.
        prompt: the text of the prompt.
        keep_heads: whether to keep layers and heads apart. They are left out, with a warning, if they would take more
            than `MOST_BYTES` for an answer of `max_new_tokens`.
        generation: options for `model.generate`, as in `Lens.look`.

    Raises:
        ValueError: as `Lens.look`.
    """
    if "heads" in REDUCERS[lens.reducer].needs:
        return lens.look(image, prompt, **generation)
    image = as_rgb(image)
    is_own = "activations" in REDUCERS[lens.reducer].needs
    inner = lens if is_own else replace(lens, reducer=_inner_reducer(lens))
    # Measurements and checks of geometry run the model, so they come before the recording.
    found = inner.find_geometry([(image.height, image.width)])
    keep_heads = keep_heads and _fits(lens, found.tokens, generation.get("max_new_tokens", DEFAULT_TOKENS))
    with ExitStack() as recording:
        records = _open(recording, inner, image, prompt, keep_heads)
        look = inner.look(image, prompt, **generation)
    recorded = _recorded(lens, look, records, found.tokens)
    values = _values(lens, image, recorded, found.tokens)
    if found.reading is not None:
        inputs = inner.inputs([[image]], [prompt])
        values = dict(zip(values, found.over_patches(lens.model, inputs, list(values.values()))))
    if "activations" in REDUCERS[inner.reducer].needs:
        values[inner.reducer] = look.values
    settings = look.settings | {"reducer": lens.reducer}
    own = values.pop(lens.reducer)
    heads = None
    if records.heads is not None and found.reading is None:
        count = len(look.token_chars)
        rows = records.heads.rows(lens.query, [count])[0, :count, ..., : found.tokens].numpy()
        heads = HeadRows.of(rows, records.heads.layers)
    return replace(look, values=own, settings=settings, others=values, heads=heads)


def _inner_reducer(lens: Lens) -> str:
    """The reducer of the run itself: "tam", which needs the answer's ids, if the model suits it, else "mean"."""
    crosses = reads_encoder(lens.model) or image_attention_modules(lens.model)[0].is_crossing
    has_head = lens.model.get_output_embeddings() is not None
    return "tam" if has_head and not crosses else "mean"


def _fits(lens: Lens, image_tokens: int, tokens: int) -> bool:
    """Whether attention by layer and head takes at most `MOST_BYTES`; logs a warning if it does not."""
    modules = image_attention_modules(lens.model)
    layers = len(choose_layers(lens.layers, len(modules)))
    heads = head_count(lens.model.config.get_text_config(decoder=True), modules[0].layer)
    needed = 4 * tokens * layers * heads * image_tokens
    if needed > MOST_BYTES:
        logger.warning(
            f"Layers and heads are not kept apart: {layers} x {heads} over {image_tokens} image tokens would take "
            f"{needed / 1e9:.0f} GB for {tokens} tokens; record fewer layers or tokens (--layers, --max-new-tokens)"
        )
    return needed <= MOST_BYTES


def _open(recording: ExitStack, lens: Lens, image: Any, prompt: str, keep_heads: bool) -> _Records:
    image_tokens = lens.image_tokens(lens.inputs([[image]], [prompt]))
    options: dict[str, Any] = {"layers": lens.layers, "before_last": lens.query == "study"}

    def enter(**more: Any) -> AttentionRecord:
        return recording.enter_context(record_attention(lens.model, image_tokens, **options, **more))

    heads = enter(reduce=None) if keep_heads else None
    return _Records(heads, enter(heads=lens.heads), enter(heads=lens.heads, value_norm=True))


def _recorded(lens: Lens, look: Look, records: _Records, image_tokens: int) -> dict[str, Recorded]:
    """What reducers read: of plain attention, and of attention times the norm of values."""
    count = len(look.token_chars)
    found = {}
    for name, record in (("plain", records.plain), ("weighted", records.weighted)):
        rows = record.rows(lens.query, [count + 1])[0, :, :image_tokens].numpy()
        end = rows[count].copy() if count < len(rows) else None
        found[name] = Recorded(rows[:count].copy(), end=end)
    return found


def _values(lens: Lens, image: Any, recorded: dict[str, Recorded], image_tokens: int) -> dict[str, np.ndarray]:
    """The values of all reducers that read nothing but rows."""
    plain = recorded["plain"]
    values = {}
    for name, reducer in REDUCERS.items():
        if reducer.needs & {"heads", "activations"}:
            continue
        source = recorded["weighted"] if "value_norm" in reducer.needs else plain
        if "generic" in reducer.needs:
            generic = generic_rows(lens, [[image]])[0, :image_tokens]
            source = replace(source, generic=generic)
        try:
            values[name] = reducer.function(non_finite_rows_to_nan(source))
        except ValueError as error:
            if name == lens.reducer:
                raise
            logger.info(f"The reducer {name!r} is left out: {error}")
    return values
