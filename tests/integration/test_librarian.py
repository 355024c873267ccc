from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from instance.agents.librarian import Answer, answer, fill_in, search
from instance.agents.reading import chunk_rows
from instance.analysis.languages import LANGUAGES
from instance.analysis.parse import parse
from instance.learning.search.chunks import Lines, chunks
from instance.learning.search.sentences.model import SentenceModel
from instance.store import chunks as store
from instance.store import embeddings, insights, workspace
from instance.store.workspace import FileRow, PatternRow, Repository
from shared.database import transaction
from shared.embedded.databases import url_of
from tests.support.databases import instance_engine
from tests.support.sentences import tiny_model
from tests.support.studied import insight

PAYMENTS = b'''
class PaymentGateway:
    """Talks to the bank."""

    def charge_card(self, card, amount):
        return self.bank.charge(card, amount)

    def refund(self, payment):
        return self.bank.refund(payment.id)
'''
FILES = b"""
def open_file(path):
    return open(path)


def retry_with_backoff(call, attempts):
    for attempt in range(attempts):
        try:
            return call()
        except TimeoutError:
            wait(2 ** attempt)
"""


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with instance_engine(database_url) as engine:
        yield engine


@pytest.fixture
async def repository(engine: AsyncEngine, tmp_path: Path) -> Repository:
    async with transaction(engine) as connection:
        return await workspace.open_repository(connection, tmp_path, "0" * 32)


async def index(connection: AsyncConnection, repository: Repository, path: str, source: bytes) -> None:
    (repository.root / path).write_bytes(source)
    file = FileRow(path=path, size_bytes=1, mtime_ns=1, digest=b"", language="python", postings=b"\x01", facts=b"")
    await workspace.put_files(connection, repository, [file])
    found = chunks(source, parse(source, LANGUAGES["python"]), path)
    await store.put(connection, repository, {path: chunk_rows(path, found)})


async def names(connection: AsyncConnection, question: str, **choice: object) -> list[str]:
    return [hit.place.qualified_name for hit in await search(connection, question, limit=5, **choice)]  # type: ignore[arg-type]


async def test_a_question_finds_the_function_it_describes(engine: AsyncEngine, repository: Repository) -> None:
    async with transaction(engine) as connection:
        await index(connection, repository, "payments.py", PAYMENTS)
        await index(connection, repository, "files.py", FILES)
        (best, *_) = await search(connection, "how are calls retried after timeouts?", limit=3)
        assert (best.place.path, best.place.name, best.place.start_line) == ("files.py", "retry_with_backoff", 6)
        assert best.place.root == str(repository.root)
        assert (await names(connection, "charging a credit card"))[0] == "PaymentGateway.charge_card"
        assert await names(connection, "quaternion") == []
        assert await names(connection, "") == []


async def test_document_frequencies_stay_exact_when_files_change(engine: AsyncEngine, repository: Repository) -> None:
    async with transaction(engine) as connection:
        await index(connection, repository, "payments.py", PAYMENTS)
        await index(connection, repository, "files.py", FILES)
        before = await store.totals(connection)
        await index(connection, repository, "files.py", FILES.replace(b"open_file", b"close_file"))
        assert len(await store.postings(connection, ["close_file"])) == 1
        assert await store.postings(connection, ["open_file"]) == []
        assert await store.totals(connection) == before
        await store.put(connection, repository, {"files.py": []})
        assert await store.postings(connection, ["retry_with_backoff"]) == []


async def test_chunks_go_with_their_file_and_stay_in_their_repository(
    engine: AsyncEngine, repository: Repository, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with transaction(engine) as connection:
        other = await workspace.open_repository(connection, elsewhere, "1" * 32)
        await index(connection, repository, "files.py", FILES)
        await index(connection, other, "files.py", FILES)
        roots = {hit.place.root for hit in await search(connection, "open file", limit=9, repository=other)}
        assert roots == {str(elsewhere)}
        assert await store.totals(connection, other) == await store.totals(connection, repository)
        await workspace.delete_files(connection, other, ["files.py"])
        assert await store.totals(connection, other) == (0, 0)
        assert (await store.totals(connection))[0] > 0


async def test_an_answer_names_code_patterns_and_insights(engine: AsyncEngine, repository: Repository) -> None:
    templates = {"01": "with open ( $1 ) as $2 : {…}", "02": "logging . getLogger ( __name__ )", "03": "open ( $1 )"}
    rows = {
        key * 16: PatternRow(fingerprint=key * 16, kind="code.pattern", template=template, language="python")
        for key, template in templates.items()
    }
    async with transaction(engine) as connection:
        await index(connection, repository, "files.py", FILES)
        counts = {"01": 9, "02": 5, "03": 1}
        await workspace.change_counts(connection, repository, {key * 16: (n, n) for key, n in counts.items()}, rows)
        await insights.apply(connection, [insight(1), insight(2, template="logger . info ( $1 )")], 2)
        found = await answer(connection, "How are files opened?", limit=5)
    assert found.code[0].place.name == "open_file"
    assert [one.mention.id for one in found.patterns] == ["01" * 16]  # a shape in one file is no pattern yet
    assert found.patterns[0].mention.root == str(repository.root)
    assert [one.mention.id for one in found.insights] == [insight(1).id]
    async with transaction(engine) as connection:
        assert await answer(connection, "", limit=5) == Answer([], [], [])


@asynccontextmanager
async def plain_user(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Give an engine as somebody who may not add extensions, as on most servers that are not our own."""
    with psycopg.connect(database_url, autocommit=True) as admin:
        if not admin.execute("SELECT FROM pg_roles WHERE rolname = 'flocklore_plain'").fetchone():
            admin.execute("CREATE ROLE flocklore_plain LOGIN")
        admin.execute("GRANT ALL ON SCHEMA public TO flocklore_plain")
    url = psycopg.conninfo.conninfo_to_dict(database_url)
    plain = url_of(database_url, str(url["dbname"])).replace(f"//{url['user']}@", "//flocklore_plain@")
    async with instance_engine(plain) as engine:
        yield engine


@pytest.mark.parametrize("stored", ["vector", "bytea"])
async def test_a_sentence_model_reads_what_is_new_and_ranks_by_meaning(
    stored: str, make_database: Callable[[], str], tmp_path: Path
) -> None:
    model = SentenceModel(tiny_model(tmp_path / "model"))
    connect = instance_engine if stored == "vector" else plain_user
    async with connect(make_database()) as engine:
        async with transaction(engine) as connection:
            repository = await workspace.open_repository(connection, tmp_path, "0" * 32)
            await index(connection, repository, "payments.py", PAYMENTS)
            await index(connection, repository, "files.py", FILES)
            assert await names(connection, "open file", model=model) == await names(connection, "open file")
        assert [read async for read in fill_in(engine, model)] == [5]
        assert [read async for read in fill_in(engine, model)] == []
        async with transaction(engine) as connection:
            assert await embeddings.storage(connection) == stored
            await check_cosines(connection, model, stored)
            assert len(await search(connection, "quaternion", limit=9, model=model)) == 5  # the model knows no bounds
            await index(connection, repository, "files.py", FILES.replace(b"open_file", b"close_file"))
        assert [read async for read in fill_in(engine, model)] == [1]
        async with transaction(engine) as connection:
            assert await embeddings.prune(connection) == 0  # the one that changed was dropped by then


async def check_cosines(connection: AsyncConnection, model: SentenceModel, stored: str) -> None:
    (question,) = model.embed(["open file"])
    ids, cosines = await embeddings.cosines(connection, stored, question)  # type: ignore[arg-type]
    places = await store.places(connection, ids.tolist())
    sources = {"files.py": FILES, "payments.py": PAYMENTS}
    texts = [Lines(sources[place.path]).excerpt(place.start_line, place.end_line) for place in places]
    assert cosines == pytest.approx(model.embed(texts) @ question, abs=2e-3 if stored == "bytea" else 1e-6)
    assert (np.diff(ids) > 0).all()


async def test_a_file_that_changed_since_is_left_to_the_next_scan(
    engine: AsyncEngine, repository: Repository, tmp_path: Path
) -> None:
    model = SentenceModel(tiny_model(tmp_path / "model"))
    async with transaction(engine) as connection:
        await index(connection, repository, "files.py", FILES)
        await index(connection, repository, "payments.py", PAYMENTS)
    (tmp_path / "files.py").write_bytes(b"# nothing left\n")
    (tmp_path / "payments.py").unlink()
    assert [read async for read in fill_in(engine, model)] == [0]
