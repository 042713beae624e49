"""Caches judges' replies on disk, so that the same question is asked once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from loguru import logger

from pixfound_tasks.benchmarks.cache import cache_folder
from pixfound_tasks.files import replacing
from pixfound_tasks.judges.base import Judge
from pixfound_tasks.response.final_answer import final_answer

if TYPE_CHECKING:
    from PIL import Image


class CachedJudge:
    """A judge whose replies are cached in `judgements` in the cache folder, one file per question.

    Threads that ask the same question at once wait for one reply. Failures are not cached, and cached replies that end
    while the judge is thinking are not used. `settings` is everything
    besides name, prompt and images that affects a reply. It must be serializable as JSON.
    """

    def __init__(self, judge: Judge, settings: Mapping[str, Any] | None = None) -> None:
        self.name = judge.name
        self._judge, self._settings = judge, dict(settings or {})
        self._lock = Lock()
        self._asking: WeakValueDictionary[Path, Lock] = WeakValueDictionary()

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """Return the cached reply, or the judge's if there is none. Raises what the judge raises."""
        place = self._place(prompt, images)
        with self._lock:
            asking = self._asking.setdefault(place, Lock())
        with asking:
            reply = _read(place)
            if reply is None or not final_answer(reply).is_finished:
                reply = self._judge.ask(prompt, images)
                _write(place, {"judge": self.name, **self._settings, "prompt": prompt, "reply": reply})
        return reply

    def _place(self, prompt: str, images: Sequence[Image.Image]) -> Path:
        digest = hashlib.sha256(json.dumps([self.name, self._settings, prompt], sort_keys=True).encode())
        for image in images:
            digest.update(json.dumps(image.size).encode())
            digest.update(image.convert("RGB").tobytes())
        key = digest.hexdigest()
        return cache_folder() / "judgements" / key[:2] / f"{key}.json"


def _read(place: Path) -> str | None:
    """Return the reply in a file, or None if the file is missing or incomplete."""
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    reply = kept.get("reply") if isinstance(kept, dict) else None
    return reply if isinstance(reply, str) else None


def _write(place: Path, kept: dict[str, Any]) -> None:
    """Write a reply to a file. If that fails, log a warning; the caller still has the reply."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as beside:
            beside.write_text(json.dumps(kept), encoding="utf-8")
    except OSError as error:
        logger.warning(f"a reply of {kept['judge']} is not kept: {error}")
