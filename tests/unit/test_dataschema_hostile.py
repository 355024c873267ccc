"""Whatever a file holds: no exception, no unbounded time, and what was read can be stored."""

from __future__ import annotations

import pickle
import random
import re
import time
from collections.abc import Iterator

import pytest

from instance.analysis.languages import LANGUAGES
from instance.analysis.parse import parse
from instance.learning.dataschema.changes import MAX_CHANGES, MAX_FIELDS, Change, pack, unpack
from instance.learning.dataschema.combining import combine
from instance.learning.dataschema.conventions import conventions
from instance.learning.dataschema.reading import tables_in
from instance.learning.dataschema.shape import shape
from instance.learning.dataschema.values import TYPES

SEEDS = {
    "sql": """
        CREATE TABLE "a" (id bigint PRIMARY KEY, b text[] NOT NULL, c numeric(1,2) CHECK (c IN ('x')), UNIQUE (b, c));
        ALTER TABLE a ADD CONSTRAINT x FOREIGN KEY (b) REFERENCES d (e), RENAME COLUMN c TO f, DROP b;
        CREATE UNIQUE INDEX i ON a USING btree (lower(b), c) WHERE x; DROP TABLE IF EXISTS d; -- $$
    """,
    "prisma": 'model A {\n id Int @id @map("x")\n b B? @relation(fields: [id], references: [c])\n @@unique([id])\n}\n',
    "python": """
from django.db import models
class A(models.Model):
    a = models.ForeignKey("self", null=True)
    class Meta:
        unique_together = (("a", "b"),)
        constraints = [models.UniqueConstraint(fields=["a"], name="x")]
class B(Base):
    __tablename__ = "b"
    __table_args__ = (UniqueConstraint("a", "b"), Index("i", "a"))
    id: Mapped[int | None] = mapped_column(ForeignKey("a.id"), primary_key=True)
t = Table("t", m, Column("a", sa.String(3), index=True))
revision = "a"
down_revision = None
def upgrade():
    with op.batch_alter_table("t") as b:
        b.add_column(sa.Column("c", sa.Enum("x")))
    op.create_table("u", sa.Column("a", sa.Integer), sa.PrimaryKeyConstraint("a"))
    op.execute("ALTER TABLE u ADD b int")
""",
    "typescript": """
@Entity({ name: "u" }) export class U extends B {
  @PrimaryGeneratedColumn("uuid") id!: string;
  @ManyToOne(() => O, (o) => o.u) @JoinColumn({ name: "x" }) o: O;
}
export const u = pgTable("u", { id: serial("id").primaryKey().references(() => o.id) }, (t) => [index("x").on(t.id)]);
sequelize.define("c", { a: { type: DataTypes.STRING, unique: true } }, { indexes: [{ fields: ["a"] }] });
""",
    "go": """
type U struct { gorm.Model; Name, B *string `gorm:"size:3;index"`; C C }
func (U) TableName() string { return "u" }
type E struct { ent.Schema }
func (E) Fields() []ent.Field { return []ent.Field{field.String("a").Unique()} }
""",
    "rust": """
diesel::table! { p (id) { id -> Int4, #[sql_name = "t"] k -> Nullable<Text>, } }
joinable!(p -> q (k));
#[sea_orm(table_name = "c")]
pub struct Model { #[sea_orm(primary_key)] pub id: i32, pub n: Option<String> }
enum Relation { #[sea_orm(belongs_to = "super::f::Entity", from = "Column::N", to = "C::Id")] F }
""",
    "java": """
@Entity @Table(name = "u", indexes = @Index(columnList = "a, b")) public class U extends B {
  @Id @GeneratedValue private Long id;
  @ManyToOne @JoinColumn(name = "o") private O o;
}
""",
    "elixir": """
defmodule U do
  use Ecto.Schema
  @primary_key {:id, :binary_id, autogenerate: true}
  schema "u" do
    field :n, {:array, :string}
    belongs_to :o, A.O, type: :id
    timestamps(updated_at: false)
  end
end
defmodule M do
  use Ecto.Migration
  def change do
    create table(:u, primary_key: [type: :uuid]) do
      add :o, references(:o, type: :uuid), null: false
    end
    rename table(:u), :o, to: :p
    create unique_index(:u, [:p])
  end
end
""",
}
MUTATIONS = 250
WORDS = TYPES | {"pk", "null", "fk", "self", "enum", "unique", "indexed", "index"}
MIB = 1 << 20


def changes_of(language: str, source: bytes) -> list[Change]:
    known = LANGUAGES.get(language)
    content = parse(source, known) if known else source.decode("utf-8", "replace")
    return tables_in("app/x/1_a", content, language)


def mutated(pieces: list[bytes], chance: random.Random) -> bytes:
    parts = list(pieces)
    for _ in range(chance.randint(1, 12)):
        start = chance.randrange(len(parts) + 1)
        end = start + chance.randint(0, 15)
        parts[start:end] = chance.choice(
            (
                [],
                [chance.choice(pieces)],
                pieces[end : end + 8],
                [chance.choice((b"(", b"}", b'"', b"'", b"\0", b"\xff"))],
            )
        )
    return b"".join(parts)


@pytest.mark.parametrize("language", SEEDS)
def test_any_mutation_of_a_file_is_read(language: str) -> None:
    chance = random.Random(language)  # noqa: S311 - repeatable, not secret
    pieces = re.findall(rb"\w+|\s+|.", SEEDS[language].encode())
    assert combine({"a": changes_of(language, SEEDS[language].encode())}), "the seed itself is worth mutating"
    for _ in range(MUTATIONS):
        changes = changes_of(language, mutated(pieces, chance))
        assert unpack(pack(changes)) == pickle.loads(pickle.dumps(changes)) == changes  # noqa: S301 - our own bytes
        tables = combine({"app/x/1_a": changes})
        conventions(tables)
        for table in tables:
            assert set(re.findall(r"\w+", shape(table))) <= WORDS, "nothing of the file but public words"
            names = {column.name for column in table.columns}
            assert names >= {name for key in (table.primary_key, *table.uniques, *table.indexes) for name in key}


def hostile() -> Iterator[tuple[str, str, str]]:
    yield "open comments", "sql", "/*" * (MIB // 2)
    yield "quotes", "sql", "'a''" * (MIB // 4)
    yield "dollar quotes", "sql", "$a$" * (MIB // 3)
    yield "brackets", "sql", "create table a(" + "(" * MIB
    yield "names in brackets", "sql", "[a" * (MIB // 2)
    yield "dumps", "sql", "COPY x FROM stdin;\n" * (MIB // 19)
    yield "sections", "sql", "-- +goose Down\n" * (MIB // 15)
    yield "key names", "sql", "create table a(b int);drop index " + "_".join("x" * (MIB // 4))
    yield (
        "renames",
        "sql",
        "create table a(b int);" + "alter table a rename b to c;alter table a rename c to b;" * 20_000,
    )
    yield "blocks", "prisma", "model a {\n" * (MIB // 10)
    yield "relations", "prisma", "model a {\na a @relation(" + "fields: [" * (MIB // 10)


@pytest.mark.parametrize(("language", "text"), [pytest.param(*case[1:], id=case[0]) for case in hostile()])
def test_hostile_text_costs_bounded_time(language: str, text: str) -> None:
    started = time.process_time()
    changes = tables_in("a", text, language)
    combine({"a": changes})
    assert len(changes) <= MAX_CHANGES + 1
    assert time.process_time() - started < 10, "linear: a quadratic reader would take minutes for a megabyte"


def test_a_table_has_a_limit() -> None:
    text = "create table a(" + ",".join(f"c{at} int" for at in range(MAX_FIELDS + 5)) + ")"
    (table,) = combine({"a": tables_in("a", text, "sql")})
    assert len(table.columns) == MAX_FIELDS
