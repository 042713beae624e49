"""Paired benchmarks for lmms-eval: does a model that answers a question about an image also see what it talks about?

`import pixfound_tasks as px` is cheap: each public name is imported when it is first used. docs/python.md shows all.
"""

__version__ = "0.1.0"

# The public names, and the place of each: "module", or "module:name".
_PUBLIC = {
    "Lens": "attention:Lens",
    "Look": "attention:Look",
    "Response": "response:Response",
    "load_benchmark": "benchmarks:load",
    "load_run": "runs.load:load_run",
    "look_widely": "attention.wide:look_widely",
    "masks": "masks",
    "metrics": "analysis.metrics",
    "parse_response": "response:from_text",
    "read_coordinates": "grounding.coordinates.reading:read_coordinates",
    "record_attention": "attention:record_attention",
    "register_benchmark": "benchmarks.registry:register_benchmark",
    "register_convention": "grounding.coordinates.conventions:register_convention",
    "register_geometry": "attention.families.registry:register_geometry",
    "register_reducer": "attention.reducers:register_reducer",
    "register_segmenter": "grounding.segmenters.base:register_segmenter",
    "summarize": "runs.summary:summarize",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = _PUBLIC[name].partition(":")
    found = import_module(f"{__name__}.{module}")
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return sorted(__all__)
