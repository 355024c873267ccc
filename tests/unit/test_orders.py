"""What the steps of a study hand on must fit into a row, however large the repository."""

from __future__ import annotations

import random

import msgspec

from instance.agents.miner import PART_FILES_MAX, STUDY_FILES_MAX
from instance.agents.orders import Found, Part, pack_paths
from instance.analysis.workspace import Skipped
from shared.jobs.jsonb import DOCUMENT_BYTES_MAX


def found(paths: list[str]) -> Found:
    return Found(
        root="/srv/code/of-a-team/repository",
        look="0" * 32,
        begun=1.0,
        parts=[
            Part(
                root="/srv/code/of-a-team/repository",
                look="0" * 32,
                first=True,
                in_process=True,
                begun=1.0,
                packed=pack_paths(paths[start : start + PART_FILES_MAX]),
            )
            for start in range(0, len(paths), PART_FILES_MAX)
        ],
        unchanged=0,
        removed=0,
        rest=0,
        skipped=Skipped(),
        touched=None,
    )


def test_paths_come_out_as_they_went_in() -> None:
    paths = ["a b.py", "line\nbreak.py", "ä/ö.py"]
    (part,) = msgspec.json.decode(msgspec.json.encode(found(paths)), type=Found).parts
    assert part.paths == paths


def test_the_paths_of_the_largest_study_fit_into_a_row() -> None:
    chance = random.Random(1)  # noqa: S311 - names like those of people
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 12))) for _ in range(3000)]
    paths = sorted(
        f"src/{'/'.join(chance.choices(words, k=3))}/{chance.choice(words)}_{n}.py" for n in range(STUDY_FILES_MAX)
    )
    assert len(msgspec.json.encode(found(paths))) < DOCUMENT_BYTES_MAX
