"""Paired benchmarks for lmms-eval: does a model that answers a question about an image also see what it talks about?"""

__version__ = "0.1.0"

_PUBLIC = {
    "Lens": "pixfound_tasks.attention",
    "Look": "pixfound_tasks.attention",
    "record_attention": "pixfound_tasks.attention",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> object:
    """Import what is public when it is asked for, so that importing the package stays cheap."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)
