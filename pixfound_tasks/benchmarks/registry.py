"""The benchmark registry.

It holds the benchmarks of this package, of installed packages, and those added with `register_benchmark`.

An installed package provides a benchmark through an entry point in the group `pixfound_tasks.benchmarks`. The entry
point has the benchmark's name and refers to a `Benchmark`, or to a function without arguments that returns one.
Listing the names imports no benchmark.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from loguru import logger

from pixfound_tasks.benchmarks.benchmark import Benchmark
from pixfound_tasks.benchmarks.records import pixcvbench, pixmini, pixmmvp
from pixfound_tasks.choices import check_choice

GROUP = "pixfound_tasks.benchmarks"
BUILT_IN = {each.name: each for each in (pixmmvp.BENCHMARK, pixcvbench.BENCHMARK, pixmini.BENCHMARK)}
_registered: dict[str, Benchmark] = {}


def benchmark_names() -> tuple[str, ...]:
    """Return the names of all benchmarks, those of this package first."""
    return tuple(dict.fromkeys((*BUILT_IN, *_plugins(), *_registered)))


def get_benchmark(name: str) -> Benchmark:
    """Return the benchmark with this name.

    Raises ValueError if the name is unknown, or if the entry point of an installed package does not give a benchmark
    with this name.
    """
    check_choice("the benchmark", name, benchmark_names())
    if name in BUILT_IN:
        return BUILT_IN[name]
    if name in _registered:
        return _registered[name]
    return _load(_plugins()[name])


def usable_benchmarks() -> list[Benchmark]:
    """Return the benchmarks that can be loaded. A warning names each of the others."""
    found = []
    for name in benchmark_names():
        try:
            found.append(get_benchmark(name))
        except ValueError as error:
            logger.warning(str(error))
    return found


def register_benchmark(benchmark: Benchmark) -> Benchmark:
    """Add a benchmark to the registry of this process and return it.

    Registering the same benchmark again changes nothing. Raises ValueError if this package, an installed one, or
    another call brings a benchmark of this name.
    """
    if benchmark.name in benchmark_names() and _registered.get(benchmark.name) != benchmark:
        raise ValueError(
            f"expected a name that no other benchmark has, but there is a {benchmark.name!r} already; rename it"
        )
    _registered[benchmark.name] = benchmark
    return benchmark


@lru_cache
def _plugins() -> dict[str, EntryPoint]:
    found = entry_points(group=GROUP)
    return {plugin.name: plugin for plugin in sorted(found, key=lambda each: each.name) if plugin.name not in BUILT_IN}


@lru_cache
def _load(plugin: EntryPoint) -> Benchmark:
    package = plugin.dist.name if plugin.dist else "an unknown package"
    remedy = f"update or remove that package: pip uninstall {package}"
    try:
        loaded = plugin.load()
        benchmark = loaded if isinstance(loaded, Benchmark) or not callable(loaded) else loaded()
    except (Exception, SystemExit) as error:  # whatever another package does
        raise ValueError(
            f"the benchmark {plugin.name} of {package} cannot be loaded ({type(error).__name__}: {error}); {remedy}"
        ) from error
    if not isinstance(benchmark, Benchmark) or benchmark.name != plugin.name:
        came = f"the benchmark {benchmark.name!r}" if isinstance(benchmark, Benchmark) else type(benchmark).__name__
        raise ValueError(
            f"expected the entry point {plugin.name} = {plugin.value} of the group {GROUP} to give a Benchmark of "
            f"that name, but got {came}; {remedy}"
        )
    return benchmark
