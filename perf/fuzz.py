"""Coverage-guided fuzzing with hostile input: `make fuzz`, or `python perf/fuzz.py [TARGET...] [--seconds 30]`.

Each target reads untrusted input and may raise only its documented error. It runs in its own process under atheris
(`pip install 'pixfound-tasks[fuzz]'`) and starts from seeds defined in `fuzz_targets.py`. For JSON inputs, half of the
mutations insert a hostile value at a random position. The program prints the number of executions, the covered edges of
the package, the slowest input and the peak memory. An input that raises an error, or takes more than 30 s or 2 GB, is
written to `fuzz/TARGET`, and the exit status is 1. `python perf/fuzz.py TARGET --again FILE` runs that input again.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

TARGETS = ("response", "scores", "coordinates", "words", "predictions", "png", "report")
TIMEOUT, MEMORY, LONGEST = 30, 2048, 1 << 16  # seconds, MB, bytes of an input
OUT = Path("fuzz")
_STATISTIC = re.compile(r"stat::(\w+):\s+(\d+)")
_COVERED = re.compile(r"\bcov: (\d+)")
HOSTILE = (
    None, True, -1, 0, 7, 2**31, 2**63, 10**400, 0.5, 1e308, float("nan"), float("-inf"), "", "\ud800", "\0", "=1+1",
    "[/x]", "$x_$", "9" * 5000, "o0" * 50, [], [[]], [1, 2], {}, {"size": [160, 120], "counts": [19200]},
)  # fmt: skip


class Outcome(NamedTuple):
    """The result of fuzzing one target. `problem` is "" if nothing was found."""

    target: str
    executions: int
    edges: int
    slowest: float
    slowest_bytes: int
    megabytes: int
    problem: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=int, default=30, help="seconds per target")
    parser.add_argument("--again", metavar="FILE", help="run one target on one input")
    parser.add_argument("--inside", metavar="FOLDER", help="fuzz in this process; used internally")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"expected targets of {', '.join(TARGETS)}, but got {', '.join(sorted(unknown))}")
    if options.again:
        import fuzz_targets

        fuzz_targets.make(options.targets[0])[0](Path(options.again).read_bytes())
    elif options.inside:
        fuzz(options.targets[0], Path(options.inside), options.seconds)
    else:
        sys.exit(report(options.targets or TARGETS, options.seconds))


def report(targets: tuple[str, ...], seconds: int) -> int:
    """Runs the targets one after the other, prints one line per target, and returns the exit status."""
    print(f"{'target':12} {'executions':>10} {'edges':>6} {'slowest input':>22} {'peak memory':>11}")
    found = []
    for target in targets:
        outcome = run(target, seconds)
        slowest = f"{outcome.slowest:.3f} s ({outcome.slowest_bytes} bytes)"
        print(
            f"{target:12} {outcome.executions:10} {outcome.edges:6} {slowest:>22} {outcome.megabytes:8} MB", flush=True
        )
        if outcome.problem:
            print(outcome.problem, flush=True)
        found.append(outcome)
    return int(any(outcome.problem for outcome in found))


def run(target: str, seconds: int) -> Outcome:
    """Fuzzes one target in another process."""
    artifacts = OUT / target
    artifacts.mkdir(parents=True, exist_ok=True)
    before = set(artifacts.iterdir())
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, target, "--inside", folder, "--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=Path.cwd())
        slowest = json.loads(Path(folder, "slowest.json").read_text()) if done.returncode == 0 else [0.0, 0]
    said = done.stdout + done.stderr
    statistics = {name: int(value) for name, value in _STATISTIC.findall(said)}
    covered = _COVERED.findall(said)
    problem = ""
    if done.returncode:
        new = ", ".join(str(path) for path in set(artifacts.iterdir()) - before) or "no input was written"
        # After the traceback, libFuzzer prints the input in hexadecimal.
        traceback = said.partition("Uncaught Python exception: ===\n")[2].partition("\n\n")[0]
        problem = f"{traceback or said[-3000:]}\n{target} failed with status {done.returncode}: {new}"
    return Outcome(
        target,
        statistics.get("number_of_executed_units", 0),
        int(covered[-1]) if covered else 0,
        *slowest,
        statistics.get("peak_rss_mb", 0),
        problem,
    )


def fuzz(target: str, folder: Path, seconds: int) -> None:
    """Fuzzes a target in this process. Does not return, because atheris ends the process."""
    import atheris

    with atheris.instrument_imports(include=["pixfound_tasks"]):
        import fuzz_targets

        call, seeds, is_json = fuzz_targets.make(target)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed)
    slowest = [0.0]

    def timed(data: bytes) -> None:
        start = time.perf_counter()
        call(data)
        spent = time.perf_counter() - start
        if spent > slowest[0]:  # write immediately, because the process ends without running any cleanup
            slowest[0] = spent
            (folder / "slowest.json").write_text(json.dumps([spent, len(data)]))

    arguments = [
        sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}",
        f"-max_len={LONGEST}", f"-artifact_prefix={OUT / target}{os.sep}", "-print_final_stats=1", "-seed=1",
    ]  # fmt: skip
    mutator = {"custom_mutator": lambda data, longest, seed: mutate(data, longest, seed, atheris.Mutate)}
    atheris.Setup(arguments, timed, **(mutator if is_json else {}))
    atheris.Fuzz()


def mutate(data: bytes, longest: int, seed: int, by_bytes: Callable[[bytes, int], bytes]) -> bytes:
    """Inserts a hostile value, or a part of the input, at a random position of JSON input; otherwise mutates bytes."""
    draw = random.Random(seed)
    try:
        value = json.loads(data) if draw.random() < 0.5 else None
    except (ValueError, RecursionError):
        value = None
    if value is None:
        return by_bytes(data, longest)
    places = list(_places(value))
    other = draw.choice(places)
    new = copy.copy(draw.choice([*HOSTILE, _at(value, other)]))
    changed = json.dumps(_put(value, draw.choice(places), new)).encode()
    return changed if len(changed) <= longest else by_bytes(data, longest)


def _places(value: Any, place: tuple = ()) -> Iterator[tuple]:
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if len(place) < 30:
            yield from _places(item, (*place, key))


def _at(value: Any, place: tuple) -> Any:
    for key in place:
        value = value[key]
    return value


def _put(value: Any, place: tuple, new: Any) -> Any:
    """Returns a copy of the value with `new` at the given place."""
    if not place:
        return new
    changed = copy.copy(value)
    changed[place[0]] = _put(value[place[0]], place[1:], new)
    return changed


if __name__ == "__main__":
    main()
