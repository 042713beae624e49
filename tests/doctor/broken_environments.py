"""Environments in which something is wrong: folders that go before all others on PYTHONPATH."""

from __future__ import annotations

from pathlib import Path

import filelock


def distribution(folder: Path, name: str, version: str, entry_points: str = "") -> Path:
    """Add the metadata of an installed distribution, which hides another one of that name."""
    place = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (place / "entry_points.txt").write_text(entry_points)
    return folder


def plugin(folder: Path, name: str, target: str) -> Path:
    """Add a distribution with one plugin of lmms-eval."""
    return distribution(folder, name, "1.0", f"[lmms_eval.models]\n{name.replace('-', '_')} = {target}\n")


# The installed release under the same name, but without the module.
_WITHOUT_API = """
import sys
from importlib.util import module_from_spec, spec_from_file_location

spec = spec_from_file_location("filelock", {file!r}, submodule_search_locations=[{folder!r}])
sys.modules["filelock"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["filelock"])
sys.modules["filelock._api"] = None
"""


def filelock_4(folder: Path) -> Path:
    """Add a filelock that has, as release 4, no module `_api`."""
    distribution(folder, "filelock", "4.3.1")
    (folder / "filelock").mkdir()
    text = _WITHOUT_API.format(file=filelock.__file__, folder=str(Path(filelock.__file__).parent))
    (folder / "filelock" / "__init__.py").write_text(text)
    return folder
