"""A benchmark's images as PNG files, for harnesses that hand paths of images to models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pixfound_tasks import benchmarks
from pixfound_tasks.files import replacing


def image_files(benchmark: str, ids: Iterable[str]) -> list[Path]:
    """The files of these documents' images (RGB), in order; those that are missing are written.

    They lie beside the saved benchmark, in a folder of the same name, so that images of other content are never taken
    for these. Raises DataError if the benchmark's own files are missing.
    """
    saved = Path(benchmarks.folder(benchmark))
    folder = saved.with_name(f"{saved.name}-images")
    folder.mkdir(parents=True, exist_ok=True)
    files = {identifier: folder / f"{identifier}.png" for identifier in ids}
    if missing := {identifier: file for identifier, file in files.items() if not file.is_file()}:
        images = benchmarks.images(benchmark)
        for identifier, file in missing.items():
            with replacing(file) as beside:
                images[identifier].save(beside, "PNG")
    return list(files.values())
