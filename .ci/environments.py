"""Environments that try the built package: what `make matrix` and `make canary` share.

Builds the sdist, and the wheel from it. An environment is made in a temporary folder and takes some 8 GB while it
exists. Its commands run in the unpacked sdist, from which the package itself has been removed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import NamedTuple
from zipfile import Path as ZipPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
HOSTS = ("lmms-eval", "transformers")
SHOWN = (*HOSTS, "torch", "numpy")
ROOM = 9e9  # bytes that an environment may take
PATIENCE = 3600  # seconds for one command

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

# `make demo`, and a required score, since lmms-eval exits with 0 after a failure too.
DEMO = (
    "lmms-eval --model pixfound --model_args pretrained=pixfound/mini --tasks pixmini --output_path run --log_samples",
    "pixfound report run",
    "pixfound check run --require pixmini.score>=0.7",
)


class Built(NamedTuple):
    """A wheel, its requirements, and the folder of the unpacked sdist without the package."""

    wheel: Path
    source: Path
    requirements: tuple[Requirement, ...]

    @property
    def lock(self) -> Path:
        return self.source / "constraints.txt"


class Distribution(NamedTuple):
    """The version of an installed distribution, and its requirements as its metadata has them."""

    version: str
    requires: tuple[str, ...]


class Installed(NamedTuple):
    """An environment's version of Python, and its distributions by canonical name."""

    python: str
    distributions: dict[str, Distribution]

    @property
    def versions(self) -> dict[str, str]:
        return {name: each.version for name, each in self.distributions.items()}


class Tried(NamedTuple):
    """Whether a trial passed, a line that says how it went, and the tests that failed."""

    passed: bool
    line: str
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and what it tries."""

    folder: Path
    built: Built

    def run(self, program: str, *arguments: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, in the unpacked sdist if no other folder is given."""
        return run([self.folder / "bin" / program, *arguments], folder or self.built.source)

    def install(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        # Uncompiled, since most of what is installed is never imported.
        return self.run("python", "-m", "pip", "install", "--quiet", "--no-compile", *arguments)

    def installed(self) -> Installed:
        found = json.loads(self.run("python", "-I", "-c", READ).stdout)
        distributions = {
            canonicalize_name(name): Distribution(version, tuple(requires))
            for name, version, requires in found["distributions"]
        }
        return Installed(found["python"], distributions)

    def run_suite(self, tests: Sequence[str] = SUITE) -> Tried:
        done = self.run("pytest", "-p", "no:cacheprovider", *tests)
        print(done.stdout[-4000:], done.stderr[-4000:], file=sys.stderr)
        failed = dict.fromkeys(re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE))
        line = last_line(done.stdout or done.stderr).partition(" in ")[0]
        # pytest that cannot even start names no test.
        return Tried(done.returncode == 0, line, () if done.returncode == 0 else tuple(failed) or tuple(tests))

    def run_demo(self) -> Tried:
        """Run the commands of the demo until one fails."""
        output = ""
        with tempfile.TemporaryDirectory(prefix="pixfound-demo-") as folder:
            for program, *arguments in map(str.split, DEMO):
                done = self.run(program, *arguments, folder=Path(folder))
                output += done.stdout + done.stderr
                if done.returncode:
                    print(output[-4000:], file=sys.stderr)
                    return Tried(False, f"failed: {error_line(output)}")
        return Tried(True, "passed")


READ = """
import json, platform
from importlib.metadata import distributions
found = [(each.metadata["Name"], each.version, each.requires or []) for each in distributions()]
print(json.dumps({"python": platform.python_version(), "distributions": found}))
"""


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
    (metadata,) = (path for path in ZipPath(wheel).iterdir() if path.name.endswith(".dist-info"))
    return Built(wheel, source, tuple(map(Requirement, PathDistribution(metadata).requires or [])))


def find_pythons(versions: Iterable[str]) -> dict[str, str]:
    """The interpreter of every version that this machine has: pyenv's, else the one of that name on the path."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = {}
    for version in versions:
        own = sorted(pyenv.glob(f"versions/{version}.*/bin/python"))
        interpreter = str(own[-1]) if own else shutil.which(f"python{version}")
        if interpreter is None:
            progress(f"Python {version}: skipped, this machine has none")
        else:
            found[version] = interpreter
    return found


@contextmanager
def make_environment(interpreter: str, built: Built, folder: Path) -> Iterator[Environment]:
    """A fresh environment in a folder, deleted on exit."""
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise SystemExit(f"expected {ROOM / 1e9:.0f} GB free in {folder}, but got {free / 1e9:.1f}: set TMPDIR")
    environment = Environment(folder / "environment", built)
    subprocess.run([interpreter, "-m", "venv", str(environment.folder)], check=True)
    try:
        yield environment
    finally:
        shutil.rmtree(environment.folder)


def read_lock(lock: Path) -> dict[str, str]:
    """The locked version of every package that applies to this Python, by canonical name."""
    lines = map(Requirement, lock.read_text().splitlines())
    applying = (each for each in lines if each.marker is None or each.marker.evaluate())
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in applying}


def install_locked(environment: Environment, lock: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Install the wheel with its test extra under a lock, as `make` installs the package."""
    everything = environment.built.lock
    # The pip that a Python brings may not know --build-constraint yet.
    done = environment.install("--constraint", everything, "pip")
    if done.returncode:
        return done
    constraints = ("--constraint", lock, "--build-constraint", everything)
    return environment.install(*constraints, f"{environment.built.wheel}[test]", *arguments)


def install_newest(environment: Environment, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Install the newest of these and of all they need, with the newest pip."""
    # Eager, since a venv may bring an old setuptools.
    newest = ("--upgrade", "--upgrade-strategy", "eager")
    done = environment.install(*newest, "pip")
    return done if done.returncode else environment.install(*newest, *arguments)


def run(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing of this checkout on its path; one that is missing or does not end has failed."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    try:
        return subprocess.run(
            command, cwd=folder, env=clean, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"did not end within {PATIENCE} seconds")
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip("= ") for line in reversed(text.splitlines()) if line.strip()), "nothing printed")


def error_line(text: str) -> str:
    """The first line that names an exception, or else the last one."""
    named = re.search(r"^(?:\w+\.)*\w+(?:Error|Exception)\b.*", text, re.MULTILINE)
    return named.group() if named else last_line(text)


def progress(text: str) -> None:
    """Say on stderr what happens now."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells in Markdown, the first as the head."""
    head, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *body))
