"""The built package in clean environments, against the oldest and newest releases it takes: `make matrix`.

Builds the sdist, and the wheel from it; makes one environment at a time in a temporary folder, installs the wheel with
its test extra, and runs a short suite out of the sdist, from which the package itself has been taken away. Prints a
Markdown table of what was installed and how it went. The newest hosts are tried with every Python that is there, the
oldest of each and of both with the oldest Python; all else is what pip picks. Exits with 1 where anything failed.

`--here` tries this Python with the newest hosts only: `make wheel-test`. An environment takes some 8 GB while it is
there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import NamedTuple
from zipfile import Path as ZipPath

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
HOSTS = ("lmms-eval", "transformers")
SHOWN = (*HOSTS, "torch", "numpy")
ROOM = 9e9  # bytes that an environment may take
PATIENCE = 3600  # seconds

# Plugin found, commands, evaluation, digits, attention rows equal to eager ones, responses, report.
SUITE = (
    "tests/test_installed.py",
    "tests/test_plugin.py",
    "tests/test_response.py",
    "tests/models/test_pixfound.py::test_a_folder_is_loaded_and_raw_attention_saved",
    "tests/models/test_pixfound.py::test_open_answers_are_grounded_too",
    "tests/models/test_pixfound.py::test_the_group_of_all_protocols_scores_their_maxima",
    *(f"tests/attention/test_exactness.py::test_rows_equal_eager_attentions[{kernel}-{family}]"
      for kernel in ("sdpa", "eager") for family in ("llava", "qwen2_5_vl", "internvl", "mllama")),
    "tests/report/test_report.py",
)  # fmt: skip


class Built(NamedTuple):
    """A wheel, the folder of the unpacked sdist without the package, and the oldest hosts the wheel asks for."""

    wheel: Path
    source: Path
    oldest: dict[str, str]


class Row(NamedTuple):
    """What was tried: the Python, the releases by name, and pytest's last line or why there is none."""

    python: str
    releases: dict[str, str]
    result: str
    passed: bool


def main() -> None:
    """Try every environment, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--here", action="store_true", help="this Python and the newest releases only")
    parser.add_argument("--python", action="append", choices=PYTHONS, help="try these only")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="pixfound-") as folder:
        built = build(Path(folder))
        interpreters = {"this": sys.executable} if options.here else find_pythons(options.python or PYTHONS)
        for version, interpreter in interpreters.items():
            if interpreter is None:
                print(f"Python {version}: skipped, this machine has none", file=sys.stderr)
                continue
            rows += try_python(interpreter, built, Path(folder), mixed=version == PYTHONS[0])
    print(table(rows))
    if not rows or not all(row.passed for row in rows):
        raise SystemExit(1)


def build(folder: Path) -> Built:
    """Build the sdist from the checkout and the wheel from the sdist."""
    hatch = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run([*hatch, "-t", "sdist"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    subprocess.run([*hatch, "-t", "wheel"], cwd=source, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    for part in ("pixfound_tasks", "task_yamls"):
        shutil.rmtree(source / part)
    return Built(wheel, source, oldest_hosts(wheel))


def oldest_hosts(wheel: Path) -> dict[str, str]:
    """The lower bound of each host in a wheel's metadata."""
    (metadata,) = (path for path in ZipPath(wheel).iterdir() if path.name.endswith(".dist-info"))
    wanted = [Requirement(line) for line in PathDistribution(metadata).requires or []]
    return {
        each.name: bound.version
        for each in wanted
        for bound in each.specifier
        if each.name in HOSTS and bound.operator == ">="
    }


def find_pythons(versions: tuple[str, ...] | list[str]) -> dict[str, str | None]:
    """An interpreter for every version: pyenv's, else the one of that name on the path, else None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    own = {version: sorted(pyenv.glob(f"versions/{version}.*/bin/python")) for version in versions}
    return {
        version: str(own[version][-1]) if own[version] else shutil.which(f"python{version}") for version in versions
    }


def try_python(interpreter: str, built: Built, folder: Path, mixed: bool) -> list[Row]:
    """One environment: the newest hosts; then, where mixed, the oldest of each and of both in their place."""
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise SystemExit(f"expected {ROOM / 1e9:.0f} GB free in {folder}, but got {free / 1e9:.1f}: set TMPDIR")
    environment = folder / "environment"
    subprocess.run([interpreter, "-m", "venv", str(environment)], check=True)
    try:
        oldest = [f"{name}=={version}" for name, version in built.oldest.items()]
        older = (*([pin] for pin in oldest), oldest) if mixed else ()
        return [try_hosts(environment, built, pins) for pins in ([], *older)]
    finally:
        shutil.rmtree(environment)


def try_hosts(environment: Path, built: Built, pins: list[str]) -> Row:
    """Install the wheel with these hosts, the newest but for the pins, and run the suite."""
    free = [name for name in HOSTS if not any(pin.startswith(f"{name}==") for pin in pins)]
    python = environment / "bin" / "python"
    # Uncompiled, since most of what comes is never imported.
    install = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--upgrade",
        "--no-compile",
        f"{built.wheel}[test]",
        *free,
        *pins,
    ]
    installed = run(install, built.source)
    if installed.returncode:
        return Row("?", {}, f"not installed: {last_line(installed.stderr)}", False)
    found = json.loads(run([python, "-c", FOUND], built.source).stdout)
    done = run([environment / "bin" / "pytest", "-p", "no:cacheprovider", *SUITE], built.source)
    print(done.stdout[-4000:], file=sys.stderr)
    return Row(found.pop("python"), found, last_line(done.stdout).partition(" in ")[0], done.returncode == 0)


FOUND = (
    "import json, platform; from importlib.metadata import version\n"
    f"print(json.dumps({{'python': platform.python_version()}} | {{name: version(name) for name in {SHOWN}}}))"
)


def run(command: list, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the environment, with nothing of this checkout on its path."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        command, cwd=folder, env=clean, capture_output=True, text=True, timeout=PATIENCE, check=False
    )  # fmt: skip


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip("= ") for line in reversed(text.splitlines()) if line.strip()), "nothing printed")


def table(rows: list[Row]) -> str:
    """All rows in Markdown, the outcome last."""
    head = ["Python", *SHOWN, "short suite"]
    body = [[row.python, *(row.releases.get(name, "") for name in SHOWN), row.result] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *body))


if __name__ == "__main__":
    main()
