"""`pixfound doctor`: checks whether evaluations can run on this machine."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Check versions, lmms-eval and its plugins, data, caches, devices, variables and optional packages.

    This takes about ten seconds, because it evaluates one document of PixMini in a new process. Exits with 1 and says
    what to do if evaluations cannot run. Downloads nothing.
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
