"""What transformers does not document is touched in `hosts/` only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pixfound_tasks

ROOT = Path(pixfound_tasks.__file__).parent
FILES = sorted(file for file in ROOT.rglob("*.py") if file.relative_to(ROOT).parts[0] != "hosts")
PUBLIC = ("_asdict", "_fields", "_replace")  # of named tuples
UNDOCUMENTED = ("ALL_ATTENTION_FUNCTIONS", "eager_attention_forward")


def privates(source: str) -> Iterator[str]:
    """Private attributes of other objects, imports from inside transformers, and its undocumented names."""

    def is_private(name: str) -> bool:
        return name.startswith("_") and not name.endswith("__") and name not in PUBLIC

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if ast.unparse(node.value) not in ("self", "cls"):
                yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("transformers."):
            yield ast.unparse(node)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("transformers."))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
            name = node.args[1]
            if isinstance(name, ast.Constant) and (is_private(name.value) or name.value in UNDOCUMENTED):
                yield ast.unparse(node)
        elif isinstance(node, (ast.Attribute, ast.Name)) and ast.unparse(node).split(".")[-1] in UNDOCUMENTED:
            yield ast.unparse(node)


def test_privates_of_transformers_are_touched_in_hosts_only():
    found = {file.relative_to(ROOT).as_posix(): list(privates(file.read_text())) for file in FILES}
    assert {file: names for file, names in found.items() if names} == {}


def test_every_kind_of_private_is_noticed():
    lines = (
        "config._attn_implementation", "from transformers.image_utils import a", "import transformers.image_utils",
        "getattr(config, '_commit_hash', None)", "getattr(file, 'ALL_ATTENTION_FUNCTIONS')",
        "file.eager_attention_forward",
    )  # fmt: skip
    assert [len(list(privates(line))) for line in lines] == [1] * len(lines)
    assert list(privates("self._rows; from transformers import AutoConfig; a.__module__; b.name_or_path")) == []
