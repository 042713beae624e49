"""What lmms-eval returns for a request that failed.

Its API backends write a marker in place of an answer, and score it like one. Seen in 0.7.0 to 0.7.3:

| output | when |
|---|---|
| `[LMMS_EVAL_REQUEST_FAILED after 5 retries] ...` | every try failed |
| `[LMMS_EVAL_BUDGET_EXCEEDED]` | `--max_tokens` or a like limit of the run was reached |
| None, or the empty string | the server sent no text, for example because a filter refused the question |

The empty string is a failure of `API_BACKENDS` alone; a model on this machine may answer nothing.
"""

from __future__ import annotations

# The backends (`--model`) that send requests to a server.
API_BACKENDS = frozenset(
    "async_openai batch_gpt4 claude gemini generation_api gpt4v litellm openai qwen_vl_api reka srt_api".split()
)
_MARKERS = ("[LMMS_EVAL_REQUEST_FAILED", "[LMMS_EVAL_BUDGET_EXCEEDED]")


def is_failed(output: object, is_api: bool = False) -> bool:
    """Whether a backend's output, which may not be a string, stands for a failed request; `is_api`: see above."""
    if not isinstance(output, str):
        return True
    return output.lstrip().startswith(_MARKERS) or (is_api and not output.strip())
