"""What the numbers say, in sentences: the same in the terminal and on the page."""

from __future__ import annotations

from pixfound_tasks.analysis.intervals import Interval
from pixfound_tasks.report.formats import between, is_measured, percent
from pixfound_tasks.runs.emergence import When
from pixfound_tasks.runs.repeated import EvidenceFound


def emergence(when: When) -> list[str]:
    """Whether grounding emerges above chance, where, and in which words; nothing where no answer has phrases."""
    if not when.has_phrases:
        return []
    return [_above_chance(when), *_where(when), *_words(when), *_hits(when), *_mass(when)]


def _above_chance(when: When) -> str:
    gain = when.intervals.gain
    if when.intervals.is_above_chance is None:
        return f"Whether grounding emerges above chance cannot be told: {gain.reason or 'there is no chance control'}."
    verdict = "Grounding emerges above chance" if gain.low > 0 else "Grounding does not emerge above chance"
    return (
        f"{verdict}: the best candidate masks have a mean IoU of {_with(when.intervals.oracle)}, those of as many "
        f"random points {_with(when.intervals.chance)}; the difference is {_points(gain)}."
    )


def _where(when: When) -> list[str]:
    tokens, characters = when.intervals.median_location, when.intervals.median_char_location
    if not is_measured(tokens.value):
        return [f"Half of the best phrases begin before {_with(characters)} of the answer's characters."]
    return [
        f"Half of the best phrases begin before {_with(tokens)} of the answer's tokens "
        f"({_with(characters)} of its characters)."
    ]


def _words(when: When) -> list[str]:
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
    return [said, f"They are about (by {when.classified_by}): {told}."] if told else [said]


def _hits(when: When) -> list[str]:
    hits, of = when.hits, when.intervals
    if not is_measured(hits.point_hit):
        return []
    said = (
        f"Before any segmenter {_with(of.point_hit)} of their points lie in the object; of all phrases' points "
        f"{percent(hits.hit_share)} %"
    )
    if not is_measured(of.hit_gain.value):
        return [f"{said}."]
    return [f"{said}, of random ones {percent(hits.chance_hit_share)} %: a difference of {_points(of.hit_gain)}."]


def _mass(when: When) -> list[str]:
    of = when.intervals
    if not is_measured(of.mass.value):
        return []
    return [
        f"{_with(of.mass)} of what they looked at lies in the object, which is {percent(when.hits.area)} % of the "
        f"image: {_points(of.mass_gain)} more than looking everywhere alike."
    ]


def evidence(found: EvidenceFound) -> list[str]:
    """Whether the answers rest on the region that the question is about."""
    rates = found.found.overall
    if not rates.documents:
        return [f"No document was asked all three times ({found.found.incomplete} are incomplete)."]
    verdict = "rest" if rates.difference.low > 0 else "are not shown to rest"
    told = [
        f"The answers {verdict} on the evidence: with the true region painted out {_with(rates.evidence)} of "
        f"{rates.documents} change, with an equal region elsewhere {_with(rates.control)}; the difference is "
        f"{_points(rates.difference)}."
    ]
    out = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in found.found.left_out.items() if count)
    if out or found.found.incomplete:
        told.append(f"Left out: {', '.join(filter(None, [out, _incomplete(found.found.incomplete)]))}.")
    if found.crossed and found.crossed.grounded.documents and found.crossed.ungrounded.documents:
        grounded, others = found.crossed.grounded, found.crossed.ungrounded
        told.append(
            f"Where the model grounds the object (IoU above 0.5, {grounded.documents} images) the difference is "
            f"{_points(grounded.difference)}, elsewhere ({others.documents}) {_points(others.difference)}."
        )
    return told


def _incomplete(count: int) -> str:
    return f"{count} not asked all three times" if count else ""


def _with(interval: Interval) -> str:
    """A share in percent with its interval."""
    return f"{percent(interval.value)} %{between(interval, ' (')}{')' if between(interval) else ''}"


def _points(interval: Interval) -> str:
    """A difference of shares in percentage points, with its interval, in which signs would read as ranges."""
    ends = f" ({100 * interval.low:.1f} to {100 * interval.high:.1f})" if is_measured(interval.low) else ""
    return f"{percent(interval.value)} points{ends}"
