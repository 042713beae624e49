"""The environment variables that this package reads: one table, and the one place that reads them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from threading import Lock
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Setting(NamedTuple):
    """An environment variable.

    `default` is the value if it is unset; empty if there is none, or another part of the program decides, which
    `otherwise` then says. `check` is the place of a function, "module:function", that raises ValueError for a value
    that means nothing. The value of a secret is never printed.
    """

    name: str
    meaning: str
    default: str = ""
    otherwise: str = ""
    check: str = ""
    is_secret: bool = False


OWN = (
    Setting(
        "PIXFOUND_ANSWERS",
        "Which answers of PixMMVP count: `original`, or `corrected`, with those of images 99/100 and 279/280 swapped.",
        default="original",
        check="pixfound_tasks.benchmarks.pixmmvp:check_answers",
    ),
    Setting(
        "PIXFOUND_CACHE",
        "The folder for joined benchmarks, judges' replies and measured token geometry.",
        otherwise="`pixfound` in `XDG_CACHE_HOME`, else `~/.cache/pixfound`",
    ),
    Setting(
        "PIXFOUND_CHOICEJUDGE",
        "The judge of choice answers, whose verdict then is `accuracy` in place of the rule: `rule` (no judge), "
        "`openai:MODEL` or `local:CHECKPOINT`. The study checks its sensitivity results in this way.",
        default="rule",
        check="pixfound_tasks.tasks.grading:check_choice_judge",
    ),
    Setting(
        "PIXFOUND_CONCEPTS",
        "What classifies the best phrases: `words` (a word list), `auto` (the same with spaCy's tags if an English "
        "package is installed), `spacy:PACKAGE`, `openai:MODEL` or `local:CHECKPOINT`.",
        default="words",
        check="pixfound_tasks.analysis.concepts:check_classifier",
    ),
    Setting(
        "PIXFOUND_COORDINATES",
        "The convention of a model's coordinates, see `pixfound_tasks/grounding/coordinates/reading.py`.",
        otherwise="by `--model`, else by the syntax of the answer",
        check="pixfound_tasks.grounding.coordinates.conventions:check_convention",
    ),
    Setting(
        "PIXFOUND_DATA",
        "The folder that holds `PixMMVP/` and `PixCVBench/`.",
        otherwise="the data sets are downloaded from the hub",
    ),
    Setting(
        "PIXFOUND_EXPRESSIONS",
        "How referring expressions are written: `clean`, or `authors`, as the study's code reads them (PixMMVP: with "
        "a leading blank; PixCV-Bench: names are split at commas).",
        default="clean",
        check="pixfound_tasks.benchmarks.expressions:check_expressions",
    ),
    Setting(
        "PIXFOUND_JUDGE",
        "The judge of open answers: `rule` (offline), `openai:MODEL` or `local:CHECKPOINT`.",
        default="rule",
        check="pixfound_tasks.tasks.grading:check_judge",
    ),
    Setting(
        "PIXFOUND_JUDGING",
        "How the judges of `PIXFOUND_JUDGE`, `PIXFOUND_CHOICEJUDGE` and `PIXFOUND_CONCEPTS` are asked: `default`, or "
        "`study`, with the study's prompts, temperature and reading of replies (`openai:MODEL` only).",
        default="default",
        check="pixfound_tasks.prompts.judge:check_judging",
    ),
    Setting(
        "PIXFOUND_KIND",
        "The kind of referring prompt, a key of `REFERRING` in `pixfound_tasks/prompts/text.py`.",
        otherwise="by `--model`",
        check="pixfound_tasks.prompts.text:check_kind",
    ),
    Setting(
        "PIXFOUND_OPENKIND",
        "The kind of open question: `plain`, or `rga3`, with the study's request for one sentence at its end. A "
        "benchmark's own prompts (PixCV-Bench) stay, as in the study.",
        default="plain",
        check="pixfound_tasks.prompts.text:check_open_kind",
    ),
    Setting(
        "PIXFOUND_PARAPHRASER",
        "The judge that writes the paraphrases that `PIXFOUND_PARAPHRASES` lacks: `openai:MODEL` or "
        "`local:CHECKPOINT`, which is loaded beside the evaluated model.",
        otherwise="missing paraphrases are an error",
        check="pixfound_tasks.judges.base:check_judge_name",
    ),
    Setting(
        "PIXFOUND_PARAPHRASES",
        "The .csv or .jsonl file of paraphrased questions.",
        otherwise="questions are not paraphrased",
    ),
    Setting(
        "PIXFOUND_PHOTOGRAPHS",
        "The folder with the original photographs of PixCV-Bench, without red boxes, in `ADE20K/validation/images/` "
        "and `COCO/coco/images/`.",
        otherwise="the images of CV-Bench",
    ),
    Setting(
        "PIXFOUND_PIXMINI",
        "The data version of PixMini: `3`, or `1`, the 60 pairs of plain shapes of earlier results.",
        default="3",
        check="pixfound_tasks.benchmarks.records.pixmini:check_version",
    ),
    Setting(
        "PIXFOUND_MASK",
        "Which of a segmenter's masks for a box or point counts: `highest` (the highest-scoring), `third` (the last of "
        "three, as in the study) or `single` (a SAM's only mask).",
        default="highest",
        check="pixfound_tasks.grounding.selection:check_mask",
    ),
    Setting(
        "PIXFOUND_REVISION",
        "The revision of the annotations on the hub: one for all, or `pixmmvp=REVISION,pixcvbench=REVISION`.",
        otherwise="the newest",
        check="pixfound_tasks.benchmarks.sources:check_revision",
    ),
    Setting(
        "PIXFOUND_SEGMENTER",
        "The segmenter that turns boxes and points into masks: `sam:CHECKPOINT`, `sam2:CHECKPOINT`, `sam3:CHECKPOINT` "
        "or `region`.",
        otherwise="the benchmark's: SAM ViT-H for photographs, `region` for drawings",
        check="pixfound_tasks.grounding.segmenters.base:check_segmenter",
    ),
    Setting(
        "PIXFOUND_TOKENMAPS",
        "The number of an answer's first tokens whose attention maps a response keeps, so that the report can show the "
        "answer token by token. A map takes about 400 bytes. No score depends on them.",
        default="64",
        check="pixfound_tasks.response.maps:check_token_maps",
    ),
    Setting(
        "PIXFOUND_VARIATIONS",
        "The rules of the sensitivity tasks' variations: `default`, or `study`, see "
        "`pixfound_tasks/prompts/study_variants.py`.",
        default="default",
        check="pixfound_tasks.prompts.variants:check_rules",
    ),
)

# Variables of other programs that change what a run does.
FOREIGN = (
    Setting("CUDA_VISIBLE_DEVICES", "The GPUs that a run may use.", otherwise="all"),
    Setting("HF_HOME", "The folder of the hub's caches.", otherwise="`~/.cache/huggingface`"),
    Setting("HF_HUB_OFFLINE", "Whether the hub must not be contacted.", otherwise="it is contacted"),
    Setting(
        "HF_TOKEN", "The token for gated models and data sets.", otherwise="that of `hf auth login`", is_secret=True
    ),
    Setting("LMMS_EVAL_PLUGINS", "Plugins that lmms-eval loads beside the installed ones.", otherwise="none"),
    Setting("OPENAI_API_KEY", "The key of the judge `openai:MODEL`.", otherwise="no such judge", is_secret=True),
    Setting("OPENAI_API_URL", "The chat-completions server of the judge `openai:MODEL`.", otherwise="OpenAI's"),
    Setting("PRED_FORMAT", "VLMEvalKit's format of its tables of replies: `tsv`, `xlsx` or `json`.", otherwise="`tsv`"),
    Setting("XDG_CACHE_HOME", "The folder of all caches.", otherwise="`~/.cache`"),
)
_TABLE = {setting.name: setting for setting in (*OWN, *FOREIGN)}


def read_setting(name: str) -> str:
    """The value of a variable of the table, or its default; empty if there is neither."""
    return os.environ.get(name) or _TABLE[name].default


def set_default(name: str, value: str) -> str:
    """Set a variable of the table for this process and those it starts, unless it is set. Return its value."""
    return os.environ.setdefault(name, value)


def check_setting(setting: Setting, value: str) -> None:
    """Raise ValueError for a value that means nothing; ImportError if what knows it is not installed."""
    if setting.check:
        module, _, function = setting.check.partition(":")
        getattr(import_module(module), function)(value)


def made_once(make: Callable[[str], T]) -> Callable[[str], T]:
    """`make`, called once for each name, also if several threads need it at the same time."""
    lock, made = Lock(), dict[str, T]()

    @wraps(make)
    def get(name: str) -> T:
        with lock:
            if name not in made:
                made[name] = make(name)
            return made[name]

    get.__dict__["cache_clear"] = made.clear
    return get


def as_markdown() -> str:
    """Both tables, as docs/settings.md has them."""
    heads = {"This package": OWN, "Other programs": FOREIGN}
    parts = [
        "# Environment variables",
        "Written by `python -m pixfound_tasks.settings`. `pixfound settings` prints them.",
    ]
    for head, table in heads.items():
        rows = [
            f"| `{each.name}` | {each.meaning} | {f'`{each.default}`' if each.default else each.otherwise} |"
            for each in table
        ]
        parts += [f"## {head}", "\n".join(["| variable | meaning | default |", "|---|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(as_markdown(), end="")
