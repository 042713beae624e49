"""VLMEvalKit itself: which versions the adapter was tried with, and what it uses of them.

| used | for what | seen in ms-vlmeval |
|---|---|---|
| `dataset.DATASET_CLASSES`, `.SUPPORTED_DATASETS`, `.build_dataset` | finding our datasets | 0.0.20 |
| `dataset.image_base.ImageBaseDataset` and its attributes | being a dataset | 0.0.20 |
| `dataset`'s attribute `force_use_dataset_prompt` | our wording also for models with prompts of their own | 0.0.20 |
| `config.supported_VLM` | the class and checkpoint of a model | 0.0.20 |
| `run.main`, `run.WORLD_SIZE`, `run.RANK` | its command | 0.0.20 |
| `MODEL_DATASET.EXTENSION` in `WORK_DIR/MODEL`, or in a folder there such as `T20260102-030405` | replies | 0.0.20 |
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from packaging.specifiers import SpecifierSet

TESTED = ">=0.0.20,<0.0.21"  # of ms-vlmeval, as in pyproject.toml
_DISTRIBUTION = "ms-vlmeval"
_INSTALL = f"pip install --no-deps '{_DISTRIBUTION}{TESTED}', then what docs/harnesses.md lists"


class HostError(RuntimeError):
    """VLMEvalKit is missing, or is a version that the adapter was not tried with. The message says what to do."""


def check_host() -> str:
    """Return the version of ms-vlmeval, importing nothing of it. Raises HostError if it is missing or untested."""
    try:
        found = version(_DISTRIBUTION)
    except PackageNotFoundError as error:
        came = "another distribution of it" if find_spec("vlmeval") else "none"
        raise HostError(f"expected VLMEvalKit ({_DISTRIBUTION}{TESTED}), but got {came}: {_INSTALL}") from error
    if not SpecifierSet(TESTED).contains(found, prereleases=True):
        raise HostError(f"expected {_DISTRIBUTION}{TESTED}, but got {found}: {_INSTALL}")
    return found


def load_host() -> None:
    """Import VLMEvalKit. Raises HostError if it is missing or untested, or lacks one of its own dependencies."""
    check_host()
    try:
        import vlmeval.run  # noqa: F401 - imports everything else
    except ImportError as error:
        raise HostError(
            f"expected {_DISTRIBUTION} with its own dependencies, but got: {error}; install what is missing, see "
            "docs/harnesses.md"
        ) from error
