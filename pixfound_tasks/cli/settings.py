"""`pixfound settings`: lists the environment variables and their values."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def settings(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """Print every environment variable that this package reads: its value, the value's source, and its meaning.

    `pixfound doctor` checks the values.
    """
    import json

    from pixfound_tasks.settings import FOREIGN, OWN, Setting

    def row(setting: Setting) -> dict[str, str]:
        value = os.environ.get(setting.name, "")
        return {
            "name": setting.name,
            "value": "(set)" if value and setting.is_secret else value or setting.default,
            "from": "environment" if value else "default",
            "default": setting.default or setting.otherwise,
            "meaning": setting.meaning,
        }

    rows = [row(setting) for setting in (*OWN, *FOREIGN)]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return

    from rich.text import Text

    from pixfound_tasks.report.console import make_console, print_prose, printable

    console = make_console()
    for each in rows:
        line = Text(each["name"], "bold").append(
            f" = {printable(each['value'])}" if each["value"] else " is not set", ""
        )
        print_prose(console, line.append(f"  ({each['from']})", "dim"))
        plain = each["meaning"].replace("`", "")
        print_prose(console, Text(f"    {plain} Default: {each['default'].replace('`', '')}.", "dim"))
