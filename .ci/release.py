"""Whether every file names the same version: `python .ci/release.py [TAG]`.

Compares `__version__` with CITATION.cff, with the action's version in the README and with the dated sections of
CHANGELOG.md. With a tag, also compares the tag, and expects nothing under Unreleased. Prints each disagreement and
exits with 1 if there is one. Needs nothing installed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
UNRELEASED = "Unreleased"


def main() -> None:
    """Print the disagreements of this checkout, or the version."""
    tag = sys.argv[1] if len(sys.argv) > 1 else None
    if found := disagreements(ROOT, tag):
        raise SystemExit("\n".join(found))
    print(version(ROOT))


def disagreements(root: Path, tag: str | None = None) -> list[str]:
    """What does not agree with the version of the sources in a folder, one sentence each."""
    ours = version(root)
    found = []
    if tag is not None and tag != f"v{ours}":
        found.append(f"expected the tag v{ours}, because __version__ is {ours}, but got {tag}")
    cited = re.findall(r"^version: *[\"']?([^\s\"']+)", _read(root, "CITATION.cff"), re.MULTILINE)
    if cited != [ours]:
        found.append(f"expected version: {ours} in CITATION.cff, but got {', '.join(cited) or 'none'}")
    used = re.findall(r"pixfound-tasks@v([\w.+-]*\w)", _read(root, "README.md"))
    if set(used) - {ours}:
        found.append(f"expected pixfound-tasks@v{ours} in README.md, but got {', '.join(f'v{each}' for each in used)}")
    sections = changelog(_read(root, "CHANGELOG.md"))
    if not any(re.fullmatch(rf"\[{re.escape(ours)}\] - \d{{4}}-\d\d-\d\d", title) for title in sections):
        found.append(f"expected a section '## [{ours}] - YYYY-MM-DD' in CHANGELOG.md, but got {', '.join(sections)}")
    found += [f"expected entries under {title} in CHANGELOG.md, but got none" for title in sections
              if title.startswith(f"[{ours}]") and not sections[title]]  # fmt: skip
    left = sections.get(f"[{UNRELEASED}]")
    if tag is not None and left:
        found.append(f"expected nothing under [{UNRELEASED}] in CHANGELOG.md, but got {left} entries: move them")
    return found


def version(root: Path) -> str:
    """`__version__` as the sources have it. Raises ValueError if it is not there once."""
    (found,) = re.findall(r"^__version__ = \"([^\"]+)\"$", _read(root, "pixfound_tasks/__init__.py"), re.MULTILINE)
    return found


def changelog(text: str) -> dict[str, int]:
    """The number of entries under each second-level heading."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    titles_and_bodies = (part.partition("\n") for part in parts)
    return {title.strip(): len(re.findall(r"^- ", body, re.MULTILINE)) for title, _, body in titles_and_bodies}


def _read(root: Path, name: str) -> str:
    return (root / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
