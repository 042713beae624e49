"""The versions that every run records, whatever its `--model`: in the task's metadata, in lmms-eval's results."""

from __future__ import annotations

from importlib.metadata import version

from pixfound_tasks import __version__

# lmms-eval's own results give the commit of the current folder in place of its version.
VERSIONS = {"pixfound-tasks": __version__, "lmms-eval": version("lmms_eval")}
