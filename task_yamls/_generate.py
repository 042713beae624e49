"""Write all YAMLs of this folder from pixfound_tasks/protocols.py: `python task_yamls/_generate.py`."""

from pathlib import Path

from pixfound_tasks.benchmarks.registry import benchmark_names, get_benchmark
from pixfound_tasks.task_files import write_task_files

if __name__ == "__main__":
    for name in benchmark_names():
        if get_benchmark(name).task_folder is None:
            write_task_files(get_benchmark(name), Path(__file__).parent / name)
