"""lmms-eval's command, which prints a traceback for every error and then exits with 0, as if it had succeeded."""

from __future__ import annotations

import sys


def stop_command(message: str) -> None:
    """End the process with one line and status 1 if lmms-eval's command runs; else return.

    Its handler of errors does not catch SystemExit.
    """
    started_as = getattr(getattr(sys.modules.get("__main__"), "__spec__", None), "name", "")
    if "lmms_eval.__main__" in sys.modules or started_as == "lmms_eval.__main__":
        raise SystemExit(f"pixfound-tasks: {message}")
