"""Named arrays of numbers from a file in the safetensors format, without copying them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from shared.errors import PermanentError

_HEADER_BYTES_MAX: Final = 1 << 24
_TYPES: Final = {"F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}


class _Place(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def read_tensors(file: Path) -> dict[str, npt.NDArray[Any]]:
    """Map a file into memory and return its arrays by name; raises `PermanentError` when it is no such file."""
    try:
        mapped = np.memmap(file, np.uint8, "r")
        size = min(int.from_bytes(mapped[:8].tobytes(), "little"), _HEADER_BYTES_MAX)
        header = msgspec.json.decode(mapped[8 : 8 + size].tobytes(), type=dict[str, Any])
        header.pop("__metadata__", None)
        places = msgspec.convert(header, dict[str, _Place])
        return {name: _array(mapped[8 + size :], place) for name, place in places.items()}
    except (OSError, ValueError, KeyError, msgspec.MsgspecError) as error:
        raise PermanentError(f"{file} holds no weights of a model ({error}); install its package anew") from error


def _array(data: npt.NDArray[np.uint8], place: _Place) -> npt.NDArray[Any]:
    begin, end = place.data_offsets
    return data[begin:end].view(_TYPES[place.dtype]).reshape(place.shape)
