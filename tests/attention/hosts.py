"""What releases of transformers do wrong themselves, so that nothing of ours can be compared with them."""

from __future__ import annotations

import pytest
import transformers
from packaging.version import Version

# Seen in 5.20.2, the newest release for Python 3.10. In 5.23 and 5.24 both are right.
_IS_OLD = Version(transformers.__version__) < Version("5.23")
CHUNKS_ARE_WRONG = pytest.mark.skipif(
    _IS_OLD, reason="transformers 5.20 generates other tokens with prefill_chunk_size"
)


def skip_if_broken(family: str) -> None:
    """Skip a test of a family whose model fails in transformers itself."""
    if family == "smolvlm" and _IS_OLD:
        pytest.skip("transformers 5.20 fails on SmolVLM's merged image tokens")
