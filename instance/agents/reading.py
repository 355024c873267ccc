"""Reading and mining a batch of files in another process. Values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Raw

from instance.analysis.languages import language_of
from instance.analysis.parse import parse
from instance.analysis.workspace import FileStamp, RefusedError, Skipped, read_stamped
from instance.learning.facts import gather_facts, pack_facts
from instance.learning.idioms import FileContext, mine
from instance.learning.search.chunks import Chunk, chunks
from instance.learning.support import pack
from instance.learning.vocabulary import vocabulary
from instance.store.chunks import ChunkRow
from instance.store.observations import CODE
from instance.store.workspace import FileRow, PatternRow
from schemas.codec import encode


@dataclass
class Batch:
    """What a batch of files holds."""

    files: list[FileRow] = field(default_factory=list)
    patterns: dict[str, PatternRow] = field(default_factory=dict)
    chunks: dict[str, list[ChunkRow]] = field(default_factory=dict)
    left_out: Skipped = field(default_factory=Skipped)
    """What could not be read of them, such as statements with syntax errors."""
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class EncodedBatch:
    """A batch with its rows as the database takes them; unlike values they cost little to hand to another process."""

    files: list[FileRow]
    patterns: dict[str, Raw]
    chunks: dict[str, list[Raw]]
    left_out: Skipped


def read_encoded(root: Path, paths: Sequence[str], own: dict[str, frozenset[str]]) -> EncodedBatch:
    """Mine each file as it is now, for the database."""
    batch = read_batch(root, paths, own)
    patterns = {fingerprint: Raw(encode(row)) for fingerprint, row in batch.patterns.items()}
    chunks = {path: [Raw(encode(row)) for row in rows] for path, rows in batch.chunks.items()}
    return EncodedBatch(batch.files, patterns, chunks, batch.left_out)


def read_batch(root: Path, paths: Sequence[str], own: dict[str, frozenset[str]]) -> Batch:
    """Mine each file as it is now; what cannot be read any more is named, and looked at again with the next scan."""
    batch = Batch()
    for path in paths:
        try:
            source, stamp = read_stamped(root, path)
        except (OSError, RefusedError):
            batch.unreadable.append(path)
            continue
        _mine(path, stamp, source, own, batch)
    return batch


def _mine(path: str, stamp: FileStamp, source: bytes, own: dict[str, frozenset[str]], batch: Batch) -> None:
    language = language_of(path)
    if language is None:
        return
    context = FileContext(vocabulary(language.name), own.get(language.name, frozenset()))
    tokens = parse(source, language)
    found = mine(tokens, context)
    for idiom in found.idioms.values():
        fingerprint = idiom.fingerprint.hex()
        if fingerprint not in batch.patterns:
            batch.patterns[fingerprint] = PatternRow(
                fingerprint=fingerprint,
                kind=CODE,
                language=idiom.language,
                view=idiom.view,
                template=idiom.template,
                names=idiom.names,
                tokens=idiom.tokens,
            )
    for reason, count in found.left_out.items():
        batch.left_out.add(reason, path, count)
    batch.chunks[path] = chunk_rows(path, chunks(source, tokens, path))
    batch.files.append(
        FileRow(
            path=path,
            size_bytes=stamp.size_bytes,
            mtime_ns=stamp.mtime_ns,
            digest=stamp.digest,
            language=language.name,
            postings=pack(found),
            facts=pack_facts(gather_facts(path, tokens, context)),
        )
    )


def chunk_rows(path: str, chunks: Sequence[Chunk]) -> list[ChunkRow]:
    """Return the chunks of one file as they are stored."""
    return [
        ChunkRow(
            path=path,
            ordinal=ordinal,
            kind=chunk.kind,
            name=chunk.name,
            within=chunk.within,
            start_line=chunk.start_line,
            end_line=chunk.end_line,
            digest=chunk.digest.hex(),
            subtokens=list(chunk.words),
            times=list(chunk.words.values()),
            length=sum(chunk.words.values()),
        )
        for ordinal, chunk in enumerate(chunks)
    ]
