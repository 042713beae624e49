"""The arguments of `--model pixfound`, as `--model_args` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pixfound_tasks import mini
from pixfound_tasks.attention.geometry_source import check_mode
from pixfound_tasks.choices import check_choice
from pixfound_tasks.grounding.pipeline import default_phrases, default_segmenter
from pixfound_tasks.grounding.products import check_product_select
from pixfound_tasks.grounding.segmenters.base import check_segmenter
from pixfound_tasks.grounding.selection import check_select
from pixfound_tasks.grounding.text_profiles import PROFILES, find_profile
from pixfound_tasks.models.presets import expand
from pixfound_tasks.prompts.judge import STUDY, check_judging

# Arguments that are passed to `generate`, instead of what the task asks for.
GENERATION = ("do_sample", "temperature", "top_p", "top_k", "num_beams", "max_new_tokens")
# Arguments of `AttentionGrounder`.
GROUNDER = ("select", "judging", "control", "seed", "point_rank", "mask", "point", "no_candidate")
_COUNTS = ("enlarge", "point_rank", "top_k", "num_beams", "max_new_tokens")
_FLAGS = ("control", "pad", "do_sample", "enable_thinking")
_FROM_THE_HOST = ("max_batch_size",)  # lmms-eval passes it to every model


@dataclass(frozen=True)
class Arguments:
    """What `--model pixfound` does.

    Attributes:
        pretrained: a Hugging Face hub name or a folder; `pixfound/mini` is the embedded model.
        preset: "paper", the study's procedure: a name for other arguments (see `presets`), which are logged one by one.
            An argument that is given beside it wins.
        device: as usual in lmms-eval.
        device_map: as in transformers.
        dtype: as in transformers.
        attn_implementation: as in transformers.
        batch_size: the number of prompts at once; "auto" means 1, because answers may need any amount of memory.
        enable_thinking: true or false, passed to the chat template. An error if the template does not read it.
        system: a system message before every prompt; an error if the chat template leaves it out.
        pad: whether images are padded to a centered square in the processor's mean color, as in LLaVA-1.5's training.
        grounding: "attention"; "box" or "point", for which the model is prompted, on referring tasks only; "text", for
            the boxes with points of models like VisionReasoner, on referring tasks only; or "none" for text answers
            alone.
        profile: with grounding=text, how the model is prompted and read: a name in `grounding.text_profiles.PROFILES`;
            None if the checkpoint's name has it.
        candidates: "masks", the segmenter's masks of each phrase, point or box; or, with grounding=point, "products",
            unions with one mask of each point, as in the study (see `grounding.products`). `select` is then "mask", the
            default, by the rule `mask`; "first"; or "judge".
        enlarge: with grounding=box or point, how many times as wide and high as the image is what the model sees. The
            study has 2 for Qwen2.5-VL's boxes.
        reducer: a name in `attention.REDUCERS`; "heads" selects its heads on drawn scenes that no task scores.
        layers: "all", "last", "middle", "i:j", or decoder layers joined by "+", such as `layers=12+13`.
        query: "predict", "consume" or "study", see `attention.record`.
        geometry: where image tokens lie: "registered", "measured" or "auto", see `attention.Lens`.
        phrases: "auto", "rules" or "spacy:PACKAGE", see `grounding.phrases`.
        select: "similarity", "similarity:lexical", "similarity:spacy:PACKAGE", "similarity:sentence:NAME", "phrase",
            "first" or "judge".
        judge: for `select=judge`: "self", "openai:MODEL" or "local:CHECKPOINT".
        judging: for `select=judge`: "default", or "study", the rules of the study's script (see
            `grounding.study_mask_judge`), its system prompt and its temperature, with `judge=openai:MODEL` only.
        segmenter: "region", the embedded model's default; "sam:CHECKPOINT" (SAM ViT-H is the default for all other
            models), "sam2:CHECKPOINT" or "sam3:CHECKPOINT".
        mask: which of a segmenter's masks is taken: "highest", the highest-scoring one; "third", the last of three, as
            in the study; or "single", the only one that a SAM gives if asked for one.
        point_rank: the rank of the attention pixel that the segmenter is prompted with: 1 for a phrase's highest pixel,
            k for the k-th highest, see `attention.geometry.peak`. A phrase whose map has fewer pixels gets no mask.
        point: the "center" or the upper left "corner" of that pixel.
        no_candidate: what an answer says from which no mask can be selected, for want of phrases or because all
            similarities are negative: "absent", it is not there; or "wrong", as in the study, whatever is there.
        control: whether to add a random-point baseline to every response grounded by attention.
        seed: the seed of the random-point baseline.
        save_attention: a folder for the recorded attention, one file per document that `Look.load` reads.
        do_sample: with `temperature`, `top_p`, `top_k`, `num_beams` and `max_new_tokens`, options of `generate` that
            are used instead of the task's.
        sampling_seed: the seed of all sampling, set once before the first answer.
    """

    pretrained: str = mini.NAME
    preset: str | None = None
    device: str | None = None
    device_map: str | None = None
    dtype: str | None = None
    attn_implementation: str | None = None
    batch_size: int = 1
    enable_thinking: bool | None = None
    system: str = ""
    pad: bool = False
    grounding: str = "attention"
    profile: str | None = None
    candidates: str = "masks"
    enlarge: int = 1
    reducer: str = "mean_centered"
    layers: str = "all"
    query: str = "predict"
    geometry: str = "auto"
    phrases: str = ""
    select: str = "similarity"
    judge: str | None = None
    judging: str = "default"
    segmenter: str = ""
    mask: str = "highest"
    point_rank: int = 1
    point: str = "center"
    no_candidate: str = "absent"
    control: bool = True
    seed: int = 0
    save_attention: str | None = None
    do_sample: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    num_beams: int | None = None
    max_new_tokens: int | None = None
    sampling_seed: int | None = None

    @property
    def generation(self) -> dict[str, Any]:
        """The options of `generate` that are given."""
        return {name: value for name in GENERATION if (value := getattr(self, name)) is not None}

    @property
    def of_grounder(self) -> dict[str, Any]:
        """The arguments of `AttentionGrounder`."""
        return {name: getattr(self, name) for name in GROUNDER}

    @property
    def of_prompting(self) -> dict[str, Any]:
        """What differs from the defaults of answers with boxes or points, for the provenance."""
        changed = {"enlarge": self.enlarge} if self.enlarge != 1 else {}
        if self.candidates != "products":
            return changed
        named = {"candidates": self.candidates, "select": self.select}
        usual = {"mask": "highest", "judging": "default"}
        rules = {name: value for name in usual if (value := getattr(self, name)) != usual[name]}
        return changed | named | rules

    @property
    def of_study(self) -> dict[str, Any]:
        """What differs from the defaults and is not about grounding alone, for the provenance."""
        values = {name: getattr(self, name) for name in ("preset", "system", "pad", "sampling_seed")}
        return {name: value for name, value in values.items() if value} | self.generation


def read_arguments(given: Mapping[str, Any]) -> Arguments:
    """Check and complete what `--model_args` gives; lmms-eval has turned some values into numbers or booleans.

    Raises ValueError if an argument is unknown or has an invalid value.
    """
    given = {name: value for name, value in given.items() if name not in _FROM_THE_HOST}
    known = [field.name for field in fields(Arguments)]
    for name in given:
        check_choice("a model argument", name, known)
    values = {name: value for name, value in given.items() if value is not None}
    if preset := values.get("preset"):
        values |= expand(preset, values)
    values |= {name: _count(name, values[name]) for name in _COUNTS if name in values}
    values |= {name: _flag(name, values[name]) for name in _FLAGS if name in values}
    values["layers"] = _layers(values.get("layers", "all"))
    values["batch_size"] = _batch_size(values.get("batch_size", 1))
    pretrained = values.get("pretrained", mini.NAME)
    values["phrases"] = values.get("phrases") or default_phrases(pretrained)
    if values.get("grounding") == "text":
        values["profile"] = find_profile(values.get("profile"), pretrained)
        values.setdefault("segmenter", PROFILES[values["profile"]].segmenter)
    elif "profile" in values:
        raise ValueError(f"expected grounding=text with profile={values['profile']}; give both, or leave out profile")
    values["segmenter"] = values.get("segmenter") or default_segmenter(pretrained)
    values["judging"] = _judging(values, given)
    if values.get("candidates") == "products":
        values.setdefault("select", "mask")
    arguments = Arguments(**values)
    check_choice("grounding", arguments.grounding, ("attention", "box", "point", "text", "none"))
    check_choice("no_candidate", arguments.no_candidate, ("absent", "wrong"))
    check_mode(arguments.geometry)
    _check_prompting(arguments)
    check_segmenter(arguments.segmenter)
    return arguments


def _judging(values: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """The rules of a judge's selection. Those of a preset count only if a judge selects."""
    judging, judge = str(values.get("judging", "default")), str(values.get("judge"))
    check_judging(judging, "judging")
    if values.get("select") != "judge" and given.get("judging") is None:
        return "default"
    if judging == STUDY and (values.get("select") != "judge" or not judge.startswith("openai:")):
        raise ValueError(
            f"expected select=judge and judge=openai:MODEL with judging=study, but got select={values.get('select')!r} "
            f"and judge={values.get('judge')!r}; give both, or judging=default"
        )
    return judging


def _check_prompting(arguments: Arguments) -> None:
    """Raise ValueError unless the candidates, their selection and `enlarge` suit the grounding."""
    check_choice("candidates", arguments.candidates, ("masks", "products"))
    needed = {"candidates": ("masks", ("point",)), "enlarge": (1, ("box", "point"))}
    for name, (usual, groundings) in needed.items():
        value = getattr(arguments, name)
        if value != usual and arguments.grounding not in groundings:
            raise ValueError(
                f"expected grounding={' or '.join(groundings)} with {name}={value}, but got "
                f"grounding={arguments.grounding}; leave out {name}, or give grounding={groundings[0]}"
            )
    check = check_product_select if arguments.candidates == "products" else check_select
    check(arguments.select, arguments.judge)


def _layers(layers: str | float) -> str:
    """The layers as a string; lmms-eval passes a single number as an int, and a negative one as a float."""
    return str(int(layers)) if isinstance(layers, (int, float)) and layers == int(layers) else str(layers)


def _batch_size(value: object) -> int:
    return 1 if str(value).partition(":")[0] == "auto" else _count("batch_size", value)


def _count(name: str, value: object) -> int:
    if not str(value).isdecimal() or int(str(value)) < 1:
        raise ValueError(f"expected {name} as a whole number of at least 1, but got {value!r}")
    return int(str(value))


def _flag(name: str, value: object) -> bool:
    """A boolean, or the text of one."""
    flags = {"true": True, "false": False, "1": True, "0": False}
    if str(value).lower() not in flags:
        raise ValueError(f"expected {name} to be true or false, but got {value!r}")
    return flags[str(value).lower()]
