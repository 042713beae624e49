"""The names of our tasks in VLMEvalKit, where a dataset's name holds benchmark and protocol: `PixMini_VQA`."""

from __future__ import annotations

from pixfound_tasks.benchmarks.registry import usable_benchmarks
from pixfound_tasks.choices import check_choice
from pixfound_tasks.task_files import GROUP_MEMBERS
from pixfound_tasks.tasks.adapted import AdaptedTask, adapted_tasks

_ENDS = {"vqa": "VQA", "vqa_open": "VQA_Open", "ground": "Ground"}  # by the suffix of the protocol


def dataset_name(task: AdaptedTask) -> str:
    """The dataset of a task: "PixMini_VQA"."""
    return f"{task.benchmark.title}_{_ENDS[task.protocol.suffix]}"


def tasks_by_dataset() -> dict[str, AdaptedTask]:
    """Our tasks by the names of their datasets."""
    return {dataset_name(task): task for task in adapted_tasks()}


def expand(names: list[str]) -> list[str]:
    """The datasets of these names, each once; `PixMini` and `PixMini_Paper` stand for those of lmms-eval's groups.

    Raises ValueError for a name that is not ours, with the nearest one.
    """
    datasets, groups = list(tasks_by_dataset()), _groups()
    for name in names:
        check_choice("a dataset of pixfound-tasks (others: python -m vlmeval)", name, [*datasets, *groups])
    return list(dict.fromkeys(each for name in names for each in groups.get(name, [name])))


def _groups() -> dict[str, list[str]]:
    """The datasets of each of lmms-eval's groups: of "pixmini_paper" under "PixMini_Paper"."""
    return {
        f"{benchmark.title}{end.title()}": [f"{benchmark.title}_{_ENDS[suffix]}" for suffix in suffixes]
        for benchmark in usable_benchmarks()
        for end, (suffixes, _) in GROUP_MEMBERS.items()
    }
