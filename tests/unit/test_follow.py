from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.follow import LogLine, LogReader, follow
from shared.embedded import logfiles


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "part.log"
    path.write_bytes(b"one\ntwo\nthr\xffee")
    return path


@pytest.fixture
def reader(log: Path) -> Iterator[LogReader]:
    made = LogReader("part", log)
    yield made
    made.close()


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, ["thr\ufffdee"]), (9, ["one", "two", "thr\ufffdee"])])
def test_the_last_lines(reader: LogReader, count: int, expected: list[str]) -> None:
    assert texts(reader.last_lines(count)) == expected


def test_nothing_between_the_last_lines_and_the_new_ones_is_lost(log: Path, reader: LogReader) -> None:
    assert reader.last_lines(1)
    append(log, b"\nfour\nfi")
    assert texts(reader.new_lines()) == ["", "four"]
    assert reader.new_lines() == []
    append(log, b"ve\n")
    assert reader.new_lines() == [LogLine("part", "five")]


def test_a_log_that_is_turned_over_is_read_on(log: Path, reader: LogReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfiles, "LOG_BYTES_MAX", 3)
    reader.last_lines(1)
    append(log, b"\nlast of the old\n")
    with logfiles.open_log(log) as file:
        file.write(b"first of the new\n")
    assert texts(reader.new_lines()) == ["", "last of the old"]
    assert texts(reader.new_lines()) == ["first of the new"]


def test_a_log_that_is_gone_for_a_moment_is_waited_for(log: Path, reader: LogReader) -> None:
    reader.last_lines(1)
    log.unlink()
    assert reader.new_lines() == []
    append(log, b"back\n")
    assert texts(reader.new_lines()) == ["back"]


def test_several_logs_are_followed_at_once(log: Path, reader: LogReader, tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    other.touch()
    second = LogReader("other", other)
    reader.last_lines(0)
    append(other, b"from the other\n")
    append(log, b"!\n")
    lines = follow([reader, second])
    assert [next(lines), next(lines)] == [LogLine("part", "!"), LogLine("other", "from the other")]
    second.close()
