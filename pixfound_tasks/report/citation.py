"""How to cite the study and this software, as BibTeX. The facts are those of CITATION.cff; a test compares them."""

from __future__ import annotations

from collections.abc import Mapping

from pixfound_tasks import __version__

STUDY_TITLE = "PixFoundation: Are We Heading in the Right Direction with Pixel-level Vision Foundation Models?"
STUDY_AUTHORS, STUDY_YEAR, STUDY_EPRINT = "The authors of arXiv:2502.04192", 2025, "2502.04192"
SOFTWARE_TITLE, SOFTWARE_AUTHORS, LICENSE = "pixfound-tasks", "pixfound-tasks maintainers", "Apache-2.0"


def bibtex() -> str:
    """Returns two entries: the study, and this version of the software."""
    study = {
        "title": f"{{{STUDY_TITLE}}}", "author": f"{{{STUDY_AUTHORS}}}", "year": STUDY_YEAR, "eprint": STUDY_EPRINT,
        "archivePrefix": "arXiv", "url": f"https://arxiv.org/abs/{STUDY_EPRINT}",
    }  # fmt: skip
    software = {
        "title": f"{{{SOFTWARE_TITLE}}}", "author": f"{{{SOFTWARE_AUTHORS}}}", "version": __version__,
        "note": f"{LICENSE} license",
    }  # fmt: skip
    return f"{_entry('article', 'pixfoundation', study)}\n\n{_entry('software', 'pixfound-tasks', software)}\n"


def _entry(kind: str, key: str, fields: Mapping[str, object]) -> str:
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines},\n}}"
