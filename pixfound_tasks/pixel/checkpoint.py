"""Published checkpoints, read file by file, and loaded into modules whose names differ."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from huggingface_hub import snapshot_download
from safetensors import safe_open
from torch import Tensor, nn

Shape = tuple[int, ...]
# (single file, index of several files, all files), the preferred kind first.
_KINDS = (
    ("model.safetensors", "model.safetensors.index.json", "model*.safetensors"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model*.bin"),
)
_SMALL_FILES = ("*.json", "*.model", "*.txt", "*.jinja")
_LISTED = 12  # keys of one kind in an error's text


class CheckpointError(ValueError):
    """A checkpoint's tensors are not those of the model that is built for it."""


class Shapes(dict[str, Shape]):
    """Shapes by key. One that is asked for and missing is an error that names it."""

    def __missing__(self, key: str) -> Shape:
        raise CheckpointError(
            f"expected a checkpoint with the tensor {key}, which tells the sizes of the model, but it has none among "
            f"{len(self)}; check that the download is complete, and that family= names the checkpoint's own family"
        )


def readers_below(shapes: Mapping[str, Shape], prefix: str) -> tuple[Callable[[str], Shape], Callable[[str], int]]:
    """Return two functions of names below `prefix`: a tensor's shape, and the length of a list of tensors.

    The name of a list has `{}` in place of the index, which counts from 0.
    """

    def count(name: str) -> int:
        number = 0
        while prefix + name.format(number) in shapes:
            number += 1
        return number

    return lambda name: shapes[prefix + name], count


@contextmanager
def building(folder: Path) -> Iterator[None]:
    """Turn what fails while a model is built from a checkpoint's shapes into a `CheckpointError`."""
    try:
        yield
    except CheckpointError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"expected {folder} to hold the tensors of one model, but their shapes fit none: {error}; check that the "
            "download is complete, and that family= names the checkpoint's own family"
        ) from error


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in a folder: its configuration, and its tensors without reading them all at once."""

    folder: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """The contents of config.json."""
        return self.read("config.json")

    def read(self, name: str) -> dict[str, Any]:
        """Return the contents of a JSON file. Raises FileNotFoundError if there is none of this name."""
        path = self.folder / name
        if not path.is_file():
            raise FileNotFoundError(f"expected {self.folder} to hold {name}, but it does not: download it again")
        return json.loads(path.read_text(encoding="utf-8"))

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files that hold tensors: one, or those that an index names.

        Raises FileNotFoundError if there is none, or one that the index names is missing.
        """
        for single, index, _ in _KINDS:
            if (self.folder / index).is_file():
                names = set(json.loads((self.folder / index).read_text(encoding="utf-8"))["weight_map"].values())
                found = tuple(self.folder / name for name in sorted(names))
                if missing := [path.name for path in found if not path.is_file()]:
                    raise FileNotFoundError(f"expected {self.folder} to hold what {index} names, but {missing} is not")
                return found
            if (self.folder / single).is_file():
                return (self.folder / single,)
        singles = " or ".join(single for single, *_ in _KINDS)
        raise FileNotFoundError(f"expected {self.folder} to hold {singles}, or an index of several such files")

    @cached_property
    def shapes(self) -> Shapes:
        """The shape of every tensor, by its key. Only the files' headers are read."""
        return Shapes({key: shape for path in self.files for key, shape in _shapes(path)})

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every key with its tensor on the CPU. Torch files are mapped into memory, not read as a whole."""
        for path in self.files:
            yield from _tensors(path)


def open_checkpoint(name: str) -> Checkpoint:
    """Return the checkpoint in a folder, or that of a hub name, of which only the needed files are downloaded."""
    if Path(name).is_dir():
        return Checkpoint(Path(name))
    folder = Path(snapshot_download(name, allow_patterns=list(_SMALL_FILES)))
    for single, index, several in _KINDS:
        has_index = (folder / index).is_file()
        folder = Path(snapshot_download(name, allow_patterns=[*_SMALL_FILES, several if has_index else single]))
        if has_index or (folder / single).is_file():
            break
    return Checkpoint(folder)


class Rule(NamedTuple):
    """Where tensors go whose keys match a pattern.

    Attributes:
        pattern: a regular expression for the whole key.
        target: the name of the parameter or buffer, with groups as in `re.sub`. Several names if the tensor is split or
            shared; None if the tensor is not needed.
        change: makes the parameter of the tensor, or as many parameters as there are targets.
    """

    pattern: str
    target: str | tuple[str, ...] | None
    change: Callable[[Tensor], Tensor | tuple[Tensor, ...]] | None = None


class Piece(NamedTuple):
    """A tensor that belongs to one parameter."""

    target: str
    tensor: Tensor


def load_weights(
    module: nn.Module,
    checkpoint: Checkpoint,
    rules: Sequence[Rule],
    place: Callable[[str], tuple[torch.device | str, torch.dtype | None]],
) -> None:
    """Fill what `module` has on the meta device with a checkpoint's tensors.

    Args:
        module: all modules that the checkpoint has weights for. What is not on the meta device is loaded already.
        checkpoint: the checkpoint.
        rules: the first rule that matches a key applies.
        place: the device and the dtype of a parameter by its name; dtype None leaves it as it is stored.

    Raises:
        CheckpointError: listing the keys that no rule or parameter takes, the parameters that no tensor is for, and the
            tensors with other shapes than their parameters.
    """
    open_ones = {name: value for name, value in module.state_dict(keep_vars=True).items() if value.is_meta}
    unknown: list[str] = []
    misshapen: list[str] = []
    given: set[str] = set()
    for key, tensor in checkpoint.tensors():
        pieces = _pieces(key, tensor, rules)
        if pieces is None:
            unknown.append(key)
        for target, value in pieces or ():
            if target not in open_ones:
                unknown.append(f"{key} (as {target})")
            elif value.shape != open_ones[target].shape:
                misshapen.append(f"{key}: expected {tuple(open_ones[target].shape)}, but got {tuple(value.shape)}")
                given.add(target)
            else:
                given.add(target)
                _set(module, target, value, *place(target))
    missing = sorted(open_ones.keys() - given)
    if unknown or missing or misshapen:
        raise CheckpointError(_complaint(checkpoint.folder, unknown, missing, misshapen))


def _pieces(key: str, tensor: Tensor, rules: Sequence[Rule]) -> list[Piece] | None:
    """Return a key's pieces, none if it is not needed; None if no rule is for it."""
    for pattern, target, change in rules:
        match = re.fullmatch(pattern, key)
        if match is None:
            continue
        if target is None:
            return []
        targets = (target,) if isinstance(target, str) else target
        changed = change(tensor) if change else tensor
        values = (changed,) * len(targets) if isinstance(changed, Tensor) else changed
        return [Piece(match.expand(name), value) for name, value in zip(targets, values, strict=True)]
    return None


def _set(module: nn.Module, name: str, value: Tensor, device: torch.device | str, dtype: torch.dtype | None) -> None:
    parent, _, leaf = name.rpartition(".")
    owner = module.get_submodule(parent)
    value = value.to(device, dtype if value.is_floating_point() else None)
    if leaf in dict(owner.named_parameters(recurse=False)):
        value = nn.Parameter(value, requires_grad=False)
    setattr(owner, leaf, value)


def _complaint(folder: Path, unknown: list[str], missing: list[str], misshapen: list[str]) -> str:
    kinds = {
        "the model has no place for": unknown,
        "the checkpoint has nothing for": missing,
        "the model has other shapes for": misshapen,
    }
    lines = [f"{what} {_listed(names)}" for what, names in kinds.items() if names]
    return (
        f"expected the tensors of {folder} to be those of the model, but\n"
        + "\n".join(lines)
        + "\nCheck that the download is complete, and that family= names the checkpoint's own family."
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{len(names)} keys: {', '.join(names[:_LISTED])}{more}"


def _shapes(path: Path) -> Iterable[tuple[str, Shape]]:
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            names = file.keys()
            return [(name, tuple(file.get_slice(name).get_shape())) for name in names]
    return [(key, tuple(tensor.shape)) for key, tensor in _tensors(path)]


def _tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            names = file.keys()
            for name in names:
                yield name, file.get_tensor(name)
        return
    loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    yield from loaded.items()
