"""Sentences that summarize the results, for both the terminal and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pixfound_tasks.analysis.emergence import Emergence
from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.report.formats import KIND_NAMES, between, is_measured, percent
from pixfound_tasks.runs.compare.comparison import RunComparison
from pixfound_tasks.runs.repeated import EvidenceFound
from pixfound_tasks.runs.summary import Summary


def headline(summary: Summary) -> str:
    """Says in one sentence or a few how well a model answers, sees, and does both; "" if nothing was scored."""
    of = summary.intervals
    answering, grounding = _first(of, "answering", "open_answering"), _first(of, "grounding", "open_grounding")
    said = []
    if answering:
        said.append(f"answers {_with(answering)} of the {summary.unit} correctly")
    if grounding:
        chance = of.get("chance_miou")
        beside = f", where random points reach {_with(chance)}" if chance and is_measured(chance.value) else ""
        said.append(f"finds what it is asked for with a mean IoU of {_with(grounding)}{beside}")
    if not said:
        return ""
    score = of.get("score")
    both = f" Both together: S is {_with(score)}." if score and is_measured(score.value) else ""
    return f"{' and '.join(said)}.{both}{_failing(summary)}{_weakest(summary)}"


def _first(intervals: Mapping[str, Interval], *names: str) -> Interval | None:
    """The first of the intervals whose value was measured."""
    return next((found for name in names if (found := intervals.get(name)) and is_measured(found.value)), None)


def _failing(summary: Summary) -> str:
    """Says which of the two one-sided failures is more frequent, and how frequent."""
    found = summary.failures.get(summary.main_questions, {}).get("paper")
    if not found or not found.total:
        return ""
    one_sided = {"grounding_only_failure": "answered but not grounded", "vqa_only_failure": "grounded but not answered"}
    worst = max(one_sided, key=lambda name: found.counts[name])
    return f" {_with(found.shares[worst])} of the {summary.unit} are {one_sided[worst]}." if found.counts[worst] else ""


def _weakest(summary: Summary) -> str:
    """Says in which pattern, source or task the mean IoU is lowest, of those with enough images for an interval."""
    for kind in ("pattern", "task", "source"):
        rows = {row.name: row.intervals["miou"] for row in summary.patterns if row.kind == kind and row.name}
        found = {name: interval for name, interval in rows.items() if is_measured(interval.low)}
        if len(found) > 1:
            lowest = min(found, key=lambda name: found[name].value)
            name = f"\N{LEFT DOUBLE QUOTATION MARK}{lowest}\N{RIGHT DOUBLE QUOTATION MARK}"
            return f" It sees least in the {KIND_NAMES[kind]} {name}: {_with(found[lowest])}."
    return ""


def sees_more(summaries: Sequence[Summary], pairs: Sequence[tuple[int, int, RunComparison]]) -> str:
    """Says which of several models has the highest M, and whether it differs from the next; "" if they have no M.

    `pairs` has the comparisons of one benchmark, each with the indices of its two models in `summaries`.
    """
    members = {index for first, second, _ in pairs for index in (first, second)}
    measured = [index for index in members if is_measured(summaries[index].grounding)]
    ranked = sorted(measured, key=lambda index: (-summaries[index].grounding, index))
    best_two = [pair for pair in pairs if set(pair[:2]) == set(ranked[:2])]
    effects = [each.effect for *_, found in best_two for each in found.differences if each.score == "grounding"]
    if not effects:
        return ""
    best, next_best = (summaries[index].model for index in ranked[:2])
    (effect,), (_, second, _) = effects, best_two[0]
    more = effect if second == ranked[0] else Interval(-effect.value, -effect.high, -effect.low, effect.units)
    above = f"{_points(more)} above that of {next_best}, on the same images."
    if more.low > 0:
        return f"{best} sees most: its mean IoU is {above}"
    if is_measured(more.low):
        return f"Which model sees most is open: the mean IoU of {best} is {above}"
    return f"The mean IoU of {best} is {above}"


def emergence(when: Emergence) -> list[str]:
    """Says whether grounding emerges above chance, at which position, and in which words.

    Returns an empty list if no answer has phrases.
    """
    if not when.has_phrases:
        return []
    return [_above_chance(when), *_where(when), *_words(when), *_hits(when), *_mass(when)]


def _above_chance(when: Emergence) -> str:
    gain = when.intervals.gain
    if when.intervals.is_above_chance is None:
        return f"It is unknown whether grounding emerges above chance: {_why_unknown(when)}."
    verdict = "Grounding emerges above chance" if gain.low > 0 else "Grounding does not emerge above chance"
    return (
        f"{verdict}: the best candidate masks have a mean IoU of {_with(when.intervals.oracle)}, those of as many "
        f"random points {_with(when.intervals.chance)}; the difference is {_points(gain)}."
    )


def _why_unknown(when: Emergence) -> str:
    """Names the cause: no random points, or what the interval says."""
    if not when.intervals.chance.units:
        return (
            "the responses have no random points to compare with, which `control=True` adds, the default of --model "
            "pixfound; replayed predictions have none"
        )
    return when.intervals.gain.reason


def _where(when: Emergence) -> list[str]:
    tokens, characters = when.intervals.median_location, when.intervals.median_char_location
    if not is_measured(tokens.value):
        return [f"Half of the best phrases begin before {_with(characters)} of the answer's characters."]
    return [
        f"Half of the best phrases begin before {_with(tokens)} of the answer's tokens "
        f"({_with(characters)} of its characters)."
    ]


def _words(when: Emergence) -> list[str]:
    rate = when.intervals.exact_phrase_rate
    if not is_measured(rate.value):
        return []
    overlap = when.intervals.matches["overlap"]
    told = ", ".join(
        f"{name} {_with(share)}"
        for name, share in sorted(when.intervals.concepts.items(), key=lambda item: -item[1].value)
        if when.concepts.get(name)
    )
    said = f"{_with(rate)} of them are the expression itself, {_with(overlap)} share a word with it."
    return [said, f"What they are about, as classified by {when.classified_by}: {told}."] if told else [said]


def _hits(when: Emergence) -> list[str]:
    hits, of = when.hits, when.intervals
    if not is_measured(hits.point_hit):
        return []
    said = (
        f"Before segmentation, {_with(of.point_hit)} of the best phrases' points lie in the object, and so do "
        f"{percent(hits.hit_share)} % of all phrases' points"
    )
    if not is_measured(of.hit_gain.value):
        return [f"{said}."]
    return [
        f"{said}, versus {percent(hits.chance_hit_share)} % of random points: a difference of {_points(of.hit_gain)}."
    ]


def _mass(when: Emergence) -> list[str]:
    of = when.intervals
    if not is_measured(of.mass.value):
        return []
    return [
        f"{_with(of.mass)} of their attention lies in the object, which covers {percent(when.hits.area)} % of the "
        f"image: {_points(of.mass_gain)} more than uniform attention."
    ]


def evidence(found: EvidenceFound) -> list[str]:
    """Says whether the answers depend on the region that the question is about, by target-masked ablation."""
    rates = found.found.overall
    if not rates.documents:
        return [f"No document has answers to all three prompts ({found.found.incomplete} are incomplete)."]
    verdict = "rest" if rates.difference.low > 0 else "are not shown to rest"
    told = [
        f"The answers {verdict} on the evidence: {_with(rates.evidence)} of {rates.documents} answers change if the "
        f"target region is masked, and {_with(rates.control)} if an equal region elsewhere is masked; the difference "
        f"is {_points(rates.difference)}."
    ]
    out = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in found.found.left_out.items() if count)
    if out or found.found.incomplete:
        told.append(f"Left out: {', '.join(filter(None, [out, _incomplete(found.found.incomplete)]))}.")
    if found.crossed and found.crossed.grounded.documents and found.crossed.ungrounded.documents:
        grounded, others = found.crossed.grounded, found.crossed.ungrounded
        told.append(
            f"If the model grounds the object (IoU above 0.5, {grounded.documents} images), the difference is "
            f"{_points(grounded.difference)}; otherwise ({others.documents} images) it is {_points(others.difference)}."
        )
    return told


def _incomplete(count: int) -> str:
    return f"{count} without answers to all three prompts" if count else ""


def _with(interval: Interval) -> str:
    """Formats a fraction in percent, with its interval."""
    return f"{percent(interval.value)} %{between(interval, ' (')}{')' if between(interval) else ''}"


def _points(interval: Interval) -> str:
    """Formats a difference of fractions in percentage points, with its interval.

    The interval is written with "to", because a dash next to a minus sign is ambiguous.
    """
    ends = f" ({100 * interval.low:.1f} to {100 * interval.high:.1f})" if is_measured(interval.low) else ""
    return f"{percent(interval.value)} points{ends}"
