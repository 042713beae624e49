"""Installed versions that are known to break lmms-eval, and the command that repairs each.

Reads metadata only: nothing that may be broken is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple


class Incompatibility(NamedTuple):
    """Versions of a package that break versions of its host.

    `versions` and `host_versions` are PEP 440 specifiers. `reason` completes "PACKAGE breaks HOST, which ...", and
    `remedy` is a shell command.
    """

    package: str
    versions: str
    host: str
    host_versions: str
    reason: str
    remedy: str


KNOWN = (
    Incompatibility(
        package="filelock",
        versions=">=4",
        host="lmms-eval",
        host_versions=">=0.7.1,<=0.7.3",
        reason="imports filelock._api, which filelock 4 removed",
        remedy="pip install 'filelock<4'",
    ),
)


class Breakage(NamedTuple):
    """A known incompatibility among the installed versions, as one sentence, and what repairs it."""

    package: str
    sentence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.sentence}. To repair it: {self.remedy}"


def installed_version(package: str) -> str | None:
    """The version of an installed distribution; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def find_incompatibilities(version_of: Callable[[str], str | None] = installed_version) -> list[Breakage]:
    """The known incompatibilities that the installed versions have."""
    from packaging.specifiers import SpecifierSet

    found = []
    for known in KNOWN:
        package, host = version_of(known.package), version_of(known.host)
        if package is None or host is None:
            continue
        if SpecifierSet(known.versions).contains(package, prereleases=True) and SpecifierSet(
            known.host_versions
        ).contains(host, prereleases=True):
            sentence = f"{known.package} {package} breaks {known.host} {host}, which {known.reason}"
            found.append(Breakage(known.package, sentence, known.remedy))
    return found


def failure_hint() -> str:
    """What to add to the message on a run without results: the known breakage in this environment, if any."""
    broken = find_incompatibilities()
    return f". In this environment {'; '.join(map(str, broken))}" if broken else ""
