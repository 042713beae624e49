import pytest

from pixfound_tasks.benchmarks.expressions import expression, read_names
from pixfound_tasks.benchmarks.sources import DataError

ASKED = (
    "Considering the relative positions of the {a} and the {b} in the image provided, where is the {a} located with "
    "respect to the {b}? Select from the following choices.\n(A) above\n(B) below"
)
MARK = " (annotated by the red box)"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("organ", ("organ",)),
        (" dining table ", ("dining table",)),
        ("curtain, drape, drapery, mantle, pall", ("curtain, drape, drapery, mantle, pall",)),
        ("('bicycle', 'person')", ("bicycle", "person")),
        ("('light, light source', 'stairway, staircase')", ("light, light source", "stairway, staircase")),
        ("(\"cup's lid\", 'person')", ("cup's lid", "person")),
    ],
)
def test_names_are_one_or_a_literal_tuple_of_two(text, names):
    assert read_names(text, "row 1") == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "('a')",
        "('a', '')",
        "('a', 'b', 'c')",
        "('a', 1)",
        "(a, b)",
        "('a', 'b'",
        f"({'-' * 100_000}1, 'b')",
        f"('a'{'+1' * 90_000})",
    ],
    ids=lambda text: text[:20],
)
def test_names_that_are_none_are_an_error(text):
    with pytest.raises(
        DataError, match=r"expected a name or a tuple of two names .* in Objects\.csv for row 1, but got"
    ):
        read_names(text, "row 1")


@pytest.mark.parametrize(
    ("names", "a", "b", "expected"),
    [
        (("cup", "tray"), "cup", "tray", "cup and tray"),
        (("cup", "tray"), "cup" + MARK, "tray", f"cup{MARK} and tray"),
        (("cup", "tray"), "cup", "tray" + MARK, f"tray{MARK} and cup"),
        # CV-Bench's wording has one synonym, or the plural, of ADE20K's names.
        (("tree", "shore, beach"), "trees" + MARK, "shore", f"tree{MARK} and shore, beach"),
        (("wall", "painting, picture"), "wall", "picture" + MARK, f"painting, picture{MARK} and wall"),
        (("coffee table, cocktail table", "table"), "coffee table", "table" + MARK,
         f"table{MARK} and coffee table, cocktail table"),
        (("table", "table cloth"), "table" + MARK, "table cloth", f"table{MARK} and table cloth"),
        # Of two that are named alike, or of names that the prompt has not, the first.
        (("tree", "tree"), "tree" + MARK, "tree", f"tree{MARK} and tree"),
        (("sconce", "wall"), "lights" + MARK, "surface", f"sconce{MARK} and wall"),
    ],
)  # fmt: skip
def test_the_name_that_the_red_box_is_about_comes_first(names, a, b, expected):
    assert expression(names, ASKED.format(a=a, b=b)) == expected


def test_one_name_is_the_expression_whatever_the_prompt():
    assert expression(["box, case"], f"How many boxes{MARK} are there?") == "box, case"
