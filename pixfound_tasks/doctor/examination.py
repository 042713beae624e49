"""All that `pixfound doctor` examines, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pixfound_tasks.doctor.findings import ERROR, WARNING, Finding
from pixfound_tasks.doctor.host import examine_host
from pixfound_tasks.doctor.versions import examine_versions

SCHEMA = "pixfound-doctor/1"


def examine() -> list[Finding]:
    """Every finding. An evaluation is tried only if nothing before it is an error: it would fail for that reason."""
    from pixfound_tasks.doctor.options import examine_options
    from pixfound_tasks.doctor.variables import examine_variables

    versions = _findings("versions", examine_versions)
    places = _findings("data", _examine_places)
    variables = _findings("variables", examine_variables)
    sound = not has_errors([*versions, *places, *variables])
    # Without lmms-eval itself there is nothing to load.
    is_installed = not any(finding.name == "missing packages" for finding in versions)
    host = _findings("lmms-eval", lambda: examine_host(not has_errors(versions), sound)) if is_installed else []
    return [*versions, *host, *places, *variables, *_findings("optional", examine_options)]


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether evaluations cannot run."""
    return any(finding.status == ERROR for finding in findings)


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Findings as what `--json` prints; the package's docstring explains the keys."""
    return {
        "schema": SCHEMA,
        "can_evaluate": not has_errors(findings),
        "findings": [finding._asdict() for finding in findings],
    }


def _examine_places() -> Iterable[Finding]:
    from pixfound_tasks.doctor.places import examine_places

    return examine_places()


def _findings(section: str, examination: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What an examination finds; if it fails itself, that is a finding too, and the others go on."""
    found: list[Finding] = []
    try:
        for finding in examination():
            found.append(finding)
    except ImportError as error:
        found.append(Finding(section, "not examined", WARNING, f"{error.name or error} is not installed"))
    except Exception as error:  # whatever is wrong with this machine, the rest of the examination is wanted
        found.append(Finding(section, "not examined", WARNING, f"{type(error).__name__}: {error}"))
    return found
