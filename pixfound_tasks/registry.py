"""Tables by name that other packages add to."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import TypeVar

from loguru import logger

T = TypeVar("T")


class Registry(UserDict[str, T]):
    """A dictionary of records by name, and those that installed packages bring by entry points.

    Entry points are loaded when the registry is first read. One that cannot be loaded is logged and left out: a broken
    package must not stop what does not need it.

    Args:
        what: the kind of record, for messages: "a convention".
        group: the group of the entry points; the name of each is the record's.
        records: the records of this package.
        is_valid: whether something can be a record.
    """

    def __init__(
        self, what: str, group: str, records: Mapping[str, T], is_valid: Callable[[object], bool] = callable
    ) -> None:
        self.what, self.group, self.is_valid = what, group, is_valid
        self._is_loaded = True
        super().__init__(records)
        self._is_loaded = False

    def register(self, name: str, record: T) -> T:
        """Add a record, and return it; adding the same one again changes nothing.

        Raises ValueError if another record has the name, TypeError for what is no record.
        """
        if not isinstance(name, str) or not self.is_valid(record):
            raise TypeError(f"expected {self.what} under its name, but got {name!r} and {record!r}; correct the order")
        if self.setdefault(name, record) != record:
            raise ValueError(f"expected a new name for {self.what}, but there is {name!r} already; rename it")
        return record

    def __getitem__(self, name: str) -> T:
        self._load()
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._load()
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self._load()
        return super().__iter__()

    def __len__(self) -> int:
        self._load()
        return super().__len__()

    def _load(self) -> None:
        if self._is_loaded:
            return
        self._is_loaded = True
        for plugin in entry_points(group=self.group):
            try:
                self.register(plugin.name, plugin.load())
            except (Exception, SystemExit) as error:
                logger.warning(f"{self.what}, {plugin.name} = {plugin.value}, cannot be loaded: {error}")
