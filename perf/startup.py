"""Measures how fast the command starts: `python perf/startup.py`.

Each round runs `pixfound --help`, `pixfound check` and `python -c pass`, which is the lower bound. The program prints
medians in seconds, and medians of the ratios to `python -c pass` of the same round. It exits with 1 if help takes more
than 0.4 s, or if checking a run of 24 tasks takes more than 1 s. `--imports` lists the imported modules, slowest first.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-c", "from pixfound_tasks.cli.app import app; app()")
TASKS = 24
_SLOWEST = 12


class Start(NamedTuple):
    """A command and its time limit in seconds; None means no limit."""

    arguments: tuple[str, ...]
    limit: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--imports", action="store_true", help="list the slowest imports of each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder) / "run")
        require = [f"--require=task_{number}.score>=0.3" for number in range(TASKS)]
        starts = {
            "python -c pass": Start((sys.executable, "-c", "pass"), None),
            "pixfound --help": Start((*COMMAND, "--help"), 0.4),
            "pixfound check": Start((*COMMAND, "check", f"{folder}/run", *require), 1.0),
        }
        late = report(starts, options.rounds)
        if options.imports:
            for name in list(starts)[1:]:
                print_imports(name, starts[name].arguments)
    if late:
        raise SystemExit(f"slower than they may be: {', '.join(late)}")


def report(starts: dict[str, Start], rounds: int) -> list[str]:
    """Prints the times, and returns the names of the commands that exceed their limits."""
    for start in starts.values():  # warm-up, so that all bytecode is compiled and files are in the system's cache
        seconds(start.arguments)
    times = [{name: seconds(start.arguments) for name, start in starts.items()} for _ in range(rounds)]
    baseline = next(iter(starts))
    print(f"{'':20}{'seconds':>10}{'ratio':>8}")
    late = []
    for name, start in starts.items():
        taken = median(each[name] for each in times)
        print(f"{name:20}{taken:10.3f}{median(each[name] / each[baseline] for each in times):8.1f}")
        if start.limit is not None and taken > start.limit:
            late.append(f"{name} ({taken:.2f} s, at most {start.limit} s)")
    return late


def seconds(arguments: tuple[str, ...]) -> float:
    begun = time.perf_counter()
    subprocess.run(arguments, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - begun


def print_imports(name: str, arguments: tuple[str, ...]) -> None:
    """Prints the cumulative milliseconds of the slowest imports, as measured by Python."""
    python, *rest = arguments
    done = subprocess.run((python, "-X", "importtime", *rest), check=True, capture_output=True, text=True, cwd=ROOT)
    rows = [line.split("|") for line in done.stderr.splitlines() if line.count("|") == 2 and "cumulative" not in line]
    print(f"\n{name}: {len(rows)} modules")
    for _, cumulative, module in sorted(rows, key=lambda row: -int(row[1]))[:_SLOWEST]:
        print(f"{int(cumulative) / 1000:8.1f} ms  {module.strip()}")


def write_run(folder: Path) -> None:
    """Writes a run's results file as lmms-eval does, with made-up scores."""
    names = [f"task_{number}" for number in range(TASKS)]
    results = {
        "results": {name: {"score,none": 0.5, "score_stderr,none": "N/A"} for name in names},
        "n-samples": {name: {"original": 300, "effective": 300} for name in names},
        "config": {"model": "pixfound", "limit": None},
        "model_name": "maker/model",
    }
    folder.mkdir()
    (folder / "20260102_030405_results.json").write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
