"""Rows of a leaderboard: written from a run, read from strangers, told apart and ranked, as Markdown and as a page."""

import copy
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from typer.testing import CliRunner
from written_run import HOSTILE, OPEN, ground_sample, open_sample, vqa_sample, write_results, write_run, write_samples

from pixfound_tasks.analysis.metrics import harmonic_mean
from pixfound_tasks.benchmarks.registry import get_benchmark
from pixfound_tasks.cli import app as command
from pixfound_tasks.report.html import pictures
from pixfound_tasks.report.leaderboard import SCHEMA, LeaderboardError, read_rows, rows, write_rows
from pixfound_tasks.report.leaderboard.page import as_html
from pixfound_tasks.report.leaderboard.schema import COMPARED, ROW, SCORES, SETTINGS, check_row
from pixfound_tasks.report.leaderboard.sections import boards
from pixfound_tasks.report.leaderboard.tables import as_markdown, visible
from pixfound_tasks.runs.run import read_runs
from pixfound_tasks.runs.samples import Origin
from pixfound_tasks.runs.summary import summarize


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.setattr(pictures, "load", lambda benchmarks: {})


def a_row(model="maker/model", answering=0.5, grounding=0.5, **fields):
    """A whole run of PixMMVP; `fields` replace its own, `settings` some of them."""
    outcomes = {"both_right": 60, "vqa_only_failure": 20, "grounding_only_failure": 30, "both_wrong": 40}
    scores = dict.fromkeys(SCORES) | {
        "answering": {"value": answering, "low": answering / 2, "high": 1.0},
        "grounding": {"value": grounding, "low": None, "high": None},
        "score": {"value": harmonic_mean([answering, grounding]), "low": 0.0, "high": 1.0},
    }
    settings = dict.fromkeys(SETTINGS) | {"select": "similarity", "answers": "original", "segmenter": "sam:one"}
    row = {
        "schema": SCHEMA, "model": model, "revision": "0123456789abcdef", "benchmark": "pixmmvp",
        "data": {"origin": "somewhere, content 0123456789ab", "content": "0123456789ab"},
        "documents": 300, "known_documents": 300, "partial": False, "limit": None, "scores": scores,
        "outcomes": {"questions": "choice", "paper": outcomes, "strict": outcomes},
        "settings": settings | fields.pop("settings", {}), "versions": "lmms-eval 0.7.3", "date": "20260102_030405",
        "report": None,
    }  # fmt: skip
    return copy.deepcopy(row | fields)


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def pixfound(*arguments, status=0):
    result = CliRunner().invoke(command.app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output + result.stderr
    return result


def test_a_runs_row_by_hand(tmp_path):
    """The numbers are those of `test_report.test_numbers_by_hand`, the open ones those of `test_protocols`."""
    run = write_run(tmp_path / "run")
    write_samples(run / "maker__model", "pixmini_vqa_open", map(open_sample, OPEN))
    pixfound("report", run, "--leaderboard", tmp_path / "row.json")
    (row,) = read_rows(tmp_path / "row.json")
    value = {name: found and found["value"] for name, found in row["scores"].items()}
    assert (row["model"], row["benchmark"], row["revision"]) == ("maker/model", "pixmini", None)
    assert (row["documents"], row["known_documents"]) == (5, get_benchmark("pixmini").document_count)
    assert (row["partial"], row["limit"]) == (True, 5.0)
    assert (value["answering"], value["open_answering"], value["unparsed_vqa"]) == (1 / 2, 1, 1 / 5)
    assert value["grounding"] == pytest.approx(3.2 / 5) and value["oracle_miou"] == pytest.approx(4.2 / 5)
    assert value["score"] == pytest.approx(2 * 1 * 0.64 / (1 + 0.64))
    assert row["outcomes"]["questions"] == "choice"
    assert row["outcomes"]["paper"] == {
        "both_right": 1, "vqa_only_failure": 0, "grounding_only_failure": 0, "both_wrong": 1
    }  # fmt: skip
    assert row["settings"] == dict.fromkeys(SETTINGS) | {
        "choice_prompt": "Is it?", "open_prompt": "Is it?", "referring_prompt": "Identify", "judge": "rule",
        "answers": "original", "answer_rule": "paper", "reducer": "mean_centered",
    }  # fmt: skip
    assert (row["data"], row["versions"]) == ({"origin": "drawn", "content": None}, "lmms-eval 0.7.3")
    assert list(row) == list(ROW)


def test_several_runs_are_a_list(tmp_path):
    summaries = [summarize(run) for run in read_runs(write_run(tmp_path / "run"))]
    write_rows(tmp_path / "rows.json", [*summaries, *summaries])
    assert isinstance(json.loads((tmp_path / "rows.json").read_text()), list)
    assert read_rows(tmp_path / "rows.json", tmp_path / "rows.json") == rows(summaries)  # each once


def test_what_a_model_says_of_itself_is_cut_to_what_a_row_holds(tmp_path):
    run = write_run(tmp_path / "run")
    write_results(run / "maker__model", model_args="pretrained=x", limit=float("nan"))
    (summary,) = [summarize(run) for run in read_runs(run)]
    made = replace(
        summary.provenance,
        origins=(Origin("\ud800", "0123456789ab", "corrected"),),
        responses={
            "segmenter": ["\ud800" + "s" * 400] * 5, "judge": [{"name": "openai:some", "exchanges": []}, "self", {}],
        },
    )  # fmt: skip
    write_rows(tmp_path / "row.json", [replace(summary, provenance=made, model=HOSTILE * 50)])
    (row,) = read_rows(tmp_path / "row.json")
    assert (len(row["model"]), row["limit"]) == (200, None)
    assert row["settings"]["segmenter"] == ", ".join(["?" + "s" * 400] * 5)[:1997] + "..."
    assert (row["settings"]["answers"], row["settings"]["mask_judge"]) == ("corrected", "openai:some")
    assert row["data"] == {"origin": "?", "content": "0123456789ab"}


LOGGED = "IVUlab/pixmmvp @ abc, content 0123456789ab, corrected answers"


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        ({"origin": LOGGED}, (LOGGED, "0123456789ab", "corrected")),  # as earlier versions logged it
        (
            {"origin": LOGGED, "provenance": {"content": "0123456789ab", "answers": "corrected"}},
            (LOGGED, "0123456789ab", "corrected"),
        ),
        ({"origin": LOGGED, "provenance": {"content": None, "answers": "original"}}, (LOGGED, None, "original")),
        ({"origin": "drawn"}, ("drawn", None, "original")),
        ({"origin": None, "provenance": {}}, ("not said", None, "original")),
        ({"origin": "drawn", "provenance": [1]}, ("drawn", None, "original")),
    ],
)
def test_the_data_of_a_row_is_what_the_documents_log_today_or_logged_before(tmp_path, logged, expected):
    sample = vqa_sample("1")
    write_samples(tmp_path / "m", "pixmini_vqa", [sample | {"pixfound": sample["pixfound"] | logged}])
    (row,) = rows(map(summarize, read_runs(tmp_path)))
    assert (row["data"]["origin"], row["data"]["content"], row["settings"]["answers"]) == expected


def test_the_judge_of_masks_is_read_from_the_responses(tmp_path):
    judge = {"name": "self, exchanges and all", "exchanges": [{"prompt": "Which?"}], "status": "chosen"}
    sample = ground_sample("1")
    response = json.loads(sample["filtered_resps"][0]) | {"provenance": {"judge": judge}}
    sample |= {"filtered_resps": [json.dumps(response)]}
    write_samples(tmp_path / "m", "pixmini_ground", [sample])
    (row,) = rows(map(summarize, read_runs(tmp_path)))
    assert row["settings"]["mask_judge"] == "self, exchanges and all"


def replaced(path, value):
    row = a_row()
    *place, name = path.split(".")
    part = row
    for step in place:
        part = part[step]
    part[name] = value
    return row


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schema", "pixfound-leaderboard/2", r"one of 'pixfound-leaderboard/1' in {}, field schema, but got 'pixf"),
        ("model", "", r"a string of 1 to 200 characters in {}, field model, but got ''"),
        ("model", "x" * 201, r"field model, but got 'x{{60}}'\.\.\."),
        ("model", ["x"], r"field model, but got \[\"x\"\]"),
        ("model", "\ud800", r"without lone surrogates in {}, field model, but got '\\ud800'"),
        ("benchmark", "mmvp", r"one of 'pixmmvp', 'pixcvbench', 'pixmini' in {}, field benchmark, but got 'mmvp'"),
        ("documents", 300.0, r"an integer from 0 to 1e\+09 in {}, field documents, but got 300\.0"),
        ("documents", True, r"field documents, but got true"),
        ("documents", 301, r"at most 300 in {}, field documents, but got 301"),
        ("documents", 299, r"true with 299 of 300 documents in {}, field partial, but got false"),
        ("known_documents", 10, r"300 in {}, field known_documents, but got 10"),
        ("partial", 0, r"one of True, False in {}, field partial, but got 0"),
        ("limit", -1, r"a number from 0 to 1e\+09 or null in {}, field limit, but got -1"),
        ("scores.answering.value", 1.01, r"a number from 0 to 1 in {}, field scores\.answering\.value, but got 1\.01"),
        ("scores.answering.value", "0.5", r"field scores\.answering\.value, but got '0\.5'"),
        ("scores.answering.low", 1.0e-9 - 1, r"field scores\.answering\.low, but got -0\.9"),
        ("scores.score.low", 1.0, None),
        ("scores.score", {"value": 0.5, "low": 0.9, "high": 0.1}, r"low <= high in {}, field scores\.score"),
        ("scores.score.value", 0.6, r"harmonic mean of A and M, 0\.500000 in {}, field scores\.score, but got 0\.6"),
        ("scores.score", None, r"the harmonic mean of A and M, 0\.500000 in {}, field scores\.score, but got NaN"),
        ("scores", [], r"an object with fields score, .* in {}, field scores, but got \[\]"),
        ("outcomes.paper.both_right", 241, r"at most 300 in all in {}, field outcomes\.paper, but got 331"),
        ("outcomes.paper.both_right", 1.5, r"field outcomes\.paper\.both_right, but got 1\.5"),
        ("settings.segmentor", "sam", r"no field 'segmentor' in {}, field settings, .*; did you mean 'segmenter'\?"),
        ("settings.judge", "j" * 2001, r"1 to 2000 characters or null in {}, field settings\.judge"),
        ("extra", 1, r"no field 'extra' in {}, as pixfound-leaderboard/1 has none"),
        ("report", "https://example.org:8080/a/b.html?c=d#e", None),
        ("report", "model-1.5/index.html", None),
        ("report", "javascript:alert(1)", r"a path of plain names .* in {}, field report, but got 'javascript:alert"),
        ("report", "../../private/index.html", r"field report, but got '\.\./\.\./private"),
        ("report", "a/../b/index.html", r"field report"),
        ("report", "a/%2e%2e/index.html", r"field report"),
        ("report", "//example.org/index.html", r"field report"),
        ("report", "a\tb/index.html", r"field report"),
        ("report", "https://me:secret@example.org/", r"field report"),
        ("report", 'https://example.org/"onclick="x', r"field report"),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong_is_named_with_its_file(tmp_path, path, value, message):
    file = write(tmp_path / "row.json", replaced(path, value))
    if message is None:
        assert len(read_rows(file)) == 1
        return
    with pytest.raises(LeaderboardError, match=message.format(re.escape(str(file)))):
        read_rows(file)


@pytest.mark.parametrize("path", ["schema", "scores.unjudged", "settings.seed", "data.content"])
def test_a_missing_field_is_named(tmp_path, path):
    row = replaced(path, None)
    *place, name = path.split(".")
    del (row[place[0]] if place else row)[name]
    file = write(tmp_path / "rows.json", [a_row(), row])
    with pytest.raises(LeaderboardError, match=rf"in {file}, row 2, field {path}, but got nothing"):
        read_rows(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected JSON in .*row.json, as `pixfound report --leaderboard` writes it, but got: "),
        ('{"model": NaN}', "but got: NaN, which is not a number"),
        ('{"model": "a", "model": "b"}', "but got: the field 'model' twice"),
        ("[" * 100_000, "expected JSON in .*row.json"),
        ("[1]", r"an object with fields schema, .* in .*row.json, row 1, field \(the row\), but got 1"),
        (json.dumps(a_row()).replace('"value": 0.5', '"value": 1e999', 1), "field scores.score.value, but got Inf"),
        (json.dumps(a_row()).replace("300", "9" * 5000, 1), "expected JSON in .*row.json"),
        ('"' + "x" * (5 << 20) + '"', "expected at most 5 MB in .*row.json, but it has more"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, content, message):
    with pytest.raises(LeaderboardError, match=message):
        read_rows(write(tmp_path / "row.json", content))
    with pytest.raises(LeaderboardError, match="a file of rows in .*none.json, but got: No such file"):
        read_rows(tmp_path / "none.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(["value", "low", *SCORES]), values),
    max_leaves=8,
)
PATHS = [
    *ROW, *(f"scores.{name}" for name in SCORES), *(f"settings.{name}" for name in SETTINGS), "scores.score.value",
    "outcomes.paper", "outcomes.paper.both_wrong", "data.origin",
]  # fmt: skip


@settings(max_examples=60)
@given(st.sampled_from(PATHS), JSON)
def test_whatever_stands_in_a_row_is_refused_or_shown(path, value):
    row = replaced(path, value)
    try:
        check_row(row, "here")
    except LeaderboardError as error:
        assert str(error).startswith("expected ") and "here" in str(error) and len(str(error)) < 500
    else:
        as_markdown([row]).encode(), as_html([row]).encode()


TEXTS = [
    HOSTILE,
    "a | b || c \\| d",
    "`code` **bold** _it_ ~~no~~ # head $x$ @someone",
    "![x](javascript:alert(1)) [y](https://evil.example) https://evil.example www.evil.example <https://evil.example>",
    "line\nline\r\n\r\n| --- |\n- [x] item",
    "&lt;script&gt; &#x41; &amp; <!-- -->",
    "{{ 7 * 7 }} {% raw %} </style></title>",
]


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("text", TEXTS)
def test_text_from_strangers_stays_text(text):
    plain = a_row(settings={"judge": "j"}, data={"origin": "o", "content": None})
    hostile = a_row(
        text, settings={"judge": text, "segmenter": text}, data={"origin": text, "content": None}, revision=text
    )
    shown = visible(text)
    table = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(as_markdown([plain, hostile]))
    other = MarkdownIt("commonmark").enable("table").render(as_markdown([plain, a_row("x", settings={"judge": "y"})]))
    rendered = Page(table)
    assert sorted(set(rendered.tags)) == sorted(set(Page(other).tags))  # no markup of its own
    assert any(f"{shown} @ {shown[:12]}".split() == found.split() for found in rendered.texts)
    page, harmless = Page(as_html([plain, hostile])), Page(as_html([plain, a_row(settings={"judge": "y"})]))
    assert set(page.tags) <= {*harmless.tags, "dl", "dt", "dd"} and set(page.attributes) == set(harmless.attributes)
    assert page.tags.count("script") == 1 and any(shown in found for found in page.texts)


def test_nothing_of_a_bare_address_becomes_a_link():
    text = as_markdown([a_row("https://evil.example/x www.evil.example me@evil.example")])
    assert r"https\://evil.example/x www\.evil.example me\@evil.example" in text


def test_characters_that_are_not_seen_are_written_out():
    assert visible("a\u202eb\u200bc\x1b[31m\td") == r"a\u202eb\u200bc\u001b[31m d"
    for render in (as_markdown, as_html):
        assert "\u202e" not in render([a_row("a\u202eb", settings={"judge": "x\u2066y"})])


@pytest.mark.parametrize("name", [*COMPARED, "data"])
def test_rows_made_in_other_ways_are_never_in_one_table(name):
    first = a_row("first", 0.9, settings=dict.fromkeys(COMPARED, "one"))
    second = copy.deepcopy(first) | {"model": "second"}
    if name == "data":
        second["data"]["content"] = "ba9876543210"
    else:
        second["settings"][name] = "two"
    (board,) = boards([second, first])
    assert board.differ == (name,) and len(board.sections) == 2
    words = name.replace("_", " ")
    for text in (as_markdown([first, second]), as_html([first, second])):
        assert f"2 sections, not to be compared with each other; they differ in: {words}." in text
    lines = as_markdown([first, second]).splitlines()
    assert (f"Here: {words}: two." in lines) == (name != "data")
    assert len([line for line in lines if line.startswith("| # |")]) == 2


def test_what_was_not_asked_sets_apart_too():
    (board,) = boards([a_row("a", settings={"open_prompt": "{question}"}), a_row("b")])
    assert {section.apart["open_prompt"] for section in board.sections} == {"{question}", "not asked"}


def test_other_segmenters_share_a_table_and_say_so():
    (board,) = boards([a_row("a", 0.4), a_row("b", 0.6, settings={"segmenter": "sam2:two", "seed": "1"})])
    (section,) = board.sections
    assert [each.made_with for each in section.rows] == [
        {"segmenter": "sam2:two", "seed": "1"},
        {"segmenter": "sam:one", "seed": "not said"},
    ]
    assert section.made_with == {"versions": "lmms-eval 0.7.3"}
    assert "| segmenter sam2:two; seed 1 |" in as_markdown([a_row("a", 0.4), section.rows[0].row])


def test_best_first_ties_share_a_place_and_partial_runs_have_none():
    partial = {"documents": 299, "partial": True}
    (board,) = boards([
        a_row("unscored", scores=dict.fromkeys(SCORES)), a_row("low", 0.2), a_row("tied", 0.5), a_row("also", 0.5),
        a_row("part", 0.99, **partial), a_row("best", 0.9), a_row("later part", 0.1, **partial),
    ])  # fmt: skip
    found = [(each.place, each.row["model"]) for each in board.sections[0].rows]
    assert found == [
        (1, "best"), (2, "also"), (2, "tied"), (4, "low"), (None, "unscored"), (None, "part"), (None, "later part"),
    ]  # fmt: skip
    assert "partial: 299 of 300" in as_markdown([board.sections[0].rows[-1].row])


def test_benchmarks_have_tables_of_their_own():
    count = get_benchmark("pixmini").document_count
    mini = a_row("mini") | {"benchmark": "pixmini", "documents": count, "known_documents": count, "outcomes": None}
    assert [board.benchmark for board in boards([mini, a_row()])] == ["pixmmvp", "pixmini"]


def test_a_report_is_no_row(tmp_path):
    write_run(tmp_path / "run")
    CliRunner().invoke(command.app, ["report", str(tmp_path / "run")])
    with pytest.raises(LeaderboardError, match="pixfound report RUN --leaderboard"):
        read_rows(tmp_path / "run" / "report" / "report.json")


def test_the_markdown_by_hand():
    line = as_markdown([a_row("maker/model_x", 0.5, 0.25)]).splitlines()
    assert line[-3] == "| # | Model | S | A | M | Outcomes | Images |"
    assert line[-2] == "|---|---|---:|---:|---:|---|---|"
    # S = 2 * 0.5 * 0.25 / 0.75; revisions are cut to twelve digits.
    assert line[-1].replace("\N{EN DASH}", "-") == (
        r"| 1 | maker/model\_x \@ 0123456789ab | 33.3 (0-100) | 50.0 (25-100) | 25.0 | 60 / 20 / 30 / 40 | 300 |"
    )


def test_the_command_prints_or_writes(tmp_path):
    one = write(tmp_path / "one.json", a_row("one"))
    two = write(tmp_path / "two.json", [a_row("two", 0.9), a_row("three", 0.8, settings={"judge": "rule"})])
    assert pixfound("leaderboard", one, two).stdout == as_markdown(read_rows(one, two))
    markdown, page = tmp_path / "board.md", tmp_path / "board.html"
    result = pixfound("leaderboard", one, two, "--markdown", markdown, "--html", page)
    assert result.stdout.split() == [str(markdown), str(page)]
    assert markdown.read_text() == as_markdown(read_rows(one, two))
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import""", page.read_text())
    bad = write(tmp_path / "bad.json", a_row() | {"documents": -1})
    result = pixfound("leaderboard", one, bad, status=1)
    assert (
        result.stderr.startswith("Error: expected an integer from 0 to") and f"{bad}, field documents" in result.stderr
    )
