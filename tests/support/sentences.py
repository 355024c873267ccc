"""A sentence model small enough to be made in a test, with the weights of chance."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

HIDDEN, HEADS, LAYERS, POSITIONS = 8, 2, 2, 64
PIECES = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]"), *"abcdefghijklmnopqrstuvwxyz0123456789_().:=,*",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"), "open", "file", "##ing", "ope", "\u6f22",
]  # fmt: skip


def tiny_model(directory: Path) -> Path:
    """Write a model of two layers and eight dimensions into a new directory, and return that."""
    directory.mkdir()
    shape = {
        "hidden_size": HIDDEN,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "layer_norm_eps": 1e-12,
        "vocab_size": len(PIECES),
    }
    (directory / "config.json").write_text(json.dumps(shape))
    (directory / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    (directory / "model.safetensors").write_bytes(_packed(tiny_weights()))
    return directory


def tiny_weights() -> dict[str, npt.NDArray[np.float32]]:
    """Return the weights by the names they have in BERT, the same every time."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(PIECES), HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        **_normalisation("embeddings"),
    }
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            shapes |= _linear(f"{name}.attention.self.{part}", HIDDEN, HIDDEN)
        shapes |= _linear(f"{name}.attention.output.dense", HIDDEN, HIDDEN)
        shapes |= _linear(f"{name}.intermediate.dense", 4 * HIDDEN, HIDDEN)
        shapes |= _linear(f"{name}.output.dense", HIDDEN, 4 * HIDDEN)
        shapes |= _normalisation(f"{name}.attention.output") | _normalisation(f"{name}.output")
    chance = np.random.default_rng(1)
    return {name: chance.normal(0.0, 0.7, shape).astype(np.float32) for name, shape in shapes.items()}


def _linear(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _normalisation(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.LayerNorm.weight": (HIDDEN,), f"{name}.LayerNorm.bias": (HIDDEN,)}


def _packed(weights: dict[str, npt.NDArray[np.float32]]) -> bytes:
    """Lay arrays out as the format has it: the header's size, the header as JSON, then the numbers."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, array in weights.items():
        end = len(body) + array.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(body), end]}
        body += array.tobytes()
    packed = json.dumps(header).encode()
    packed += b" " * (-len(packed) % 8)
    return struct.pack("<Q", len(packed)) + packed + body
