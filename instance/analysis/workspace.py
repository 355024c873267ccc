"""From a directory to the source files worth studying, and to what changed since last time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.base import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from instance.analysis.filters import (
    MAX_FILE_BYTES,
    SKIPPED_DIRECTORIES,
    SNIFF_BYTES,
    refuses_content,
    refuses_path,
)
from instance.analysis.git import tracked_and_untracked
from instance.analysis.languages import language_of
from shared.errors import NotFoundError, PermanentError

OWN_IGNORE_FILE = ".flockloreignore"
EXAMPLES_MAX = 20
MAX_FILES = 200_000


class SourceFile(NamedTuple):
    """One file worth studying; `path` is posix and relative to the root."""

    path: str
    size_bytes: int
    mtime_ns: int
    language: str


class FileStamp(NamedTuple):
    """What is remembered of a studied file; `digest` is blake2b-128 of its bytes."""

    size_bytes: int
    mtime_ns: int
    digest: bytes


@dataclass(slots=True)
class Skipped:
    """What was not studied, counted by reason, with the first few files of each by name."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, path: str, count: int = 1) -> None:
        """Count a file, or so many things in it."""
        self.counts[reason] = self.counts.get(reason, 0) + count
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES_MAX:
            examples.append(path)

    def merge(self, other: Skipped) -> None:
        """Add what was counted elsewhere."""
        for reason, count in other.counts.items():
            self.counts[reason] = self.counts.get(reason, 0) + count
            examples = self.examples.setdefault(reason, [])
            examples += other.examples[reason][: EXAMPLES_MAX - len(examples)]


@dataclass(slots=True)
class Workspace:
    """The studied files of a directory by path, every path git or the disk knows, and what was skipped."""

    root: Path
    files: list[SourceFile]
    paths: list[str]
    skipped: Skipped


@dataclass(slots=True)
class Changes:
    """What a scan found against what was known.

    `to_read` are new or changed files with their new stamps, `restamped` files that were touched and not changed.
    """

    to_read: list[tuple[SourceFile, FileStamp]]
    restamped: dict[str, FileStamp]
    unchanged_count: int
    removed: list[str]
    skipped: Skipped


def walk(root: Path) -> Workspace:
    """Find the source files below `root`, honouring ignore files; raises `NotFoundError` when it is no directory."""
    if not root.is_dir():
        raise NotFoundError(f"{root} is not a directory; name the folder of a codebase")
    skipped = Skipped()
    listed = tracked_and_untracked(root)
    paths = sorted(_named_in_unicode(_scan(root, skipped) if listed is None else listed, skipped))
    if len(paths) > MAX_FILES:
        for path in paths[MAX_FILES:]:
            skipped.add("too_many_files", path)
        del paths[MAX_FILES:]
    ignored = _ignore_file(root / OWN_IGNORE_FILE)
    files = [file for path in paths if (file := _source_file(root, path, ignored, skipped)) is not None]
    return Workspace(root, files, paths, skipped)


def changes(workspace: Workspace, known: Mapping[str, FileStamp]) -> Changes:
    """Compare a scan with what was known: size and time decide what is read, the digest what has changed."""
    found = Changes([], {}, 0, [], workspace.skipped)
    present: set[str] = set()
    for file in workspace.files:
        before = known.get(file.path)
        if before is not None and (before.size_bytes, before.mtime_ns) == (file.size_bytes, file.mtime_ns):
            found.unchanged_count += 1
            present.add(file.path)
            continue
        digest = _digest(workspace.root / file.path, file.path, found.skipped)
        if digest is None:
            continue
        present.add(file.path)
        stamp = FileStamp(file.size_bytes, file.mtime_ns, digest)
        if before is not None and before.digest == digest:
            found.restamped[file.path] = stamp
            found.unchanged_count += 1
        else:
            found.to_read.append((file, stamp))
    found.removed = sorted(path for path in known if path not in present)
    return found


def read_source(root: Path, path: str) -> bytes:
    """Return a source file's bytes, at most one byte more than is ever parsed; raises `OSError`."""
    descriptor = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a path cannot refuse symlinks, a descriptor has
        return file.read(MAX_FILE_BYTES + 1)


def read_stamped(root: Path, path: str) -> tuple[bytes, FileStamp]:
    """Return a source file's bytes and what to remember of it; raises `OSError`, `RefusedError` when it is none."""
    status = os.lstat(root / path)  # before it is read: what changes after is seen to have changed next time
    source = read_source(root, path)
    return source, FileStamp(status.st_size, status.st_mtime_ns, _digest_of(source))


class RefusedError(PermanentError):
    """A file is not worth studying, or not to be studied; the message is the reason in a word."""


def _digest(file: Path, path: str, skipped: Skipped) -> bytes | None:
    try:
        return _digest_of(read_source(file.parent, file.name))
    except OSError:
        skipped.add("unreadable", path)
    except RefusedError as refused:
        skipped.add(str(refused), path)
    return None


def _digest_of(source: bytes) -> bytes:
    reason = refuses_content(source[:SNIFF_BYTES])
    if reason is not None:
        raise RefusedError(reason)
    return blake2b(source, digest_size=16).digest()


def _source_file(root: Path, path: str, ignored: GitIgnoreSpec | None, skipped: Skipped) -> SourceFile | None:
    language = language_of(path)
    if language is None:
        return None
    *directories, name = path.split("/")
    reason = refuses_path(tuple(directories), name)
    if reason is None and ignored is not None and ignored.match_file(path):
        reason = "ignored"
    if reason is None:
        try:
            status = os.lstat(f"{root}/{path}")
        except OSError:
            reason = "unreadable"
        else:
            reason = _refuses_status(status)
    if reason is not None:
        skipped.add(reason, path)
        return None
    return SourceFile(path, status.st_size, status.st_mtime_ns, language.name)


def _refuses_status(status: os.stat_result) -> str | None:
    if stat.S_ISLNK(status.st_mode):
        return "symlink"  # what it points to is studied where it lies, if it lies below the root
    if not stat.S_ISREG(status.st_mode):
        return "not_a_file"
    return "too_large" if status.st_size > MAX_FILE_BYTES else None


def _named_in_unicode(paths: Iterable[str], skipped: Skipped) -> Iterator[str]:
    """Yield the paths that can be written down: a file name is any bytes, a database takes UTF-8."""
    for path in paths:
        try:
            path.encode()
        except UnicodeEncodeError:
            skipped.add("unreadable", ascii(path))
        else:
            yield path


def _scan(root: Path, skipped: Skipped) -> Iterator[str]:
    """Yield every file below `root` that no `.gitignore` on the way rules out; never enters symlinks."""
    waiting: list[tuple[str, tuple[tuple[str, GitIgnoreSpec], ...]]] = [("", ())]
    while waiting:
        directory, above = waiting.pop()
        here = _ignore_file(root / directory / ".gitignore")
        rules = (*above, (directory, here)) if here is not None else above
        try:
            entries = list(os.scandir(root / directory))
        except OSError:
            skipped.add("unreadable", directory)
            continue
        for entry in entries:
            path = f"{directory}/{entry.name}" if directory else entry.name
            is_directory = entry.is_dir(follow_symlinks=False)
            if _is_ignored(f"{path}/" if is_directory else path, rules):
                skipped.add("ignored", path)
            elif not is_directory:
                yield path
            elif entry.name in SKIPPED_DIRECTORIES:
                skipped.add("skipped_directory", path)
            else:
                waiting.append((path, rules))


def _is_ignored(path: str, rules: tuple[tuple[str, GitIgnoreSpec], ...]) -> bool:
    """Ask the ignore files from the nearest to the root: the first with an opinion decides."""
    for directory, spec in reversed(rules):
        relative = path[len(directory) + 1 :] if directory else path
        opinion = spec.check_file(relative).include
        if opinion is not None:
            return opinion
    return False


def _ignore_file(path: Path) -> GitIgnoreSpec | None:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    return GitIgnoreSpec.from_lines(line for line in lines if _is_pattern(line))


def _is_pattern(line: str) -> bool:
    """Tell whether a line means something: git passes over what it cannot read, such as a lone `!`."""
    try:
        GitIgnoreSpecPattern(line)
    except GitIgnorePatternError:
        return False
    return True
