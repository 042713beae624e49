"""`pixfound doctor`: whether evaluations can run on this machine."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Examine versions, lmms-eval and its plugins, data, caches, devices, variables and optional parts.

    It takes ten seconds, since it evaluates one document of PixMini in a fresh process. Exits with 1 if evaluations
    cannot run, and says what to do. Downloads nothing.
    """
    import json

    from pixfound_tasks.doctor.examination import as_json as findings_as_json
    from pixfound_tasks.doctor.examination import examine, has_errors

    findings = examine()
    if as_json:
        typer.echo(json.dumps(findings_as_json(findings), indent=2))
    else:
        from pixfound_tasks.report.findings_table import print_findings

        print_findings(findings)
    raise typer.Exit(1 if has_errors(findings) else 0)
