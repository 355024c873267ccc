from __future__ import annotations

from instance.analysis.languages import language_of
from instance.analysis.parse import parse
from instance.learning.dataschema.changes import Change
from instance.learning.dataschema.combining import combine
from instance.learning.dataschema.reading import tables_in
from instance.learning.dataschema.values import Column, ForeignKey, Table

INITIAL = '''
"""Create the first tables."""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "b2"
down_revision = "a1"

_VIEWS = """
    CREATE TABLE kept (id integer PRIMARY KEY, body jsonb NOT NULL);
    COMMENT ON TABLE kept IS 'as SQL';
"""

def upgrade():
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=20), nullable=True),
        sa.Column("org_id", sa.BigInteger(), nullable=True),
        sa.Column("meta", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.id"], name=op.f("fk_users_org"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name"),
    )
    op.create_index(op.f("ix_users_org_id"), "users", ["org_id"], unique=False)
    op.create_index("partial", "users", ["name"], unique=True, postgresql_where=sa.text("name is not null"))
    op.execute(_VIEWS)

def downgrade():
    op.drop_table("users")
'''
FIRST = """
import sqlalchemy as sa
from alembic import op
revision = "a1"
down_revision = None
def upgrade() -> None:
    op.create_table("orgs", sa.Column("id", sa.BigInteger(), primary_key=True), sa.Column("old", sa.Float()))
def downgrade() -> None:
    op.drop_table("orgs")
"""
LAST = """
import sqlalchemy as sa
from alembic import op
revision = "c3"
down_revision = "b2"
class Base:
    pass
class User(Base):
    __tablename__ = "users"
    id = sa.Column(sa.Integer, primary_key=True)
def upgrade() -> None:
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("born", sa.Date(), nullable=True))
        batch_op.alter_column("name", new_column_name="title", existing_type=sa.String(), nullable=False)
        batch_op.drop_index("partial")
        batch_op.create_unique_constraint("once", ["org_id", "born"])
    op.drop_column("orgs", "old")
    op.rename_table("orgs", "firms")
    op.drop_constraint("users_name_key", "users", type_="unique")
    op.execute(sa.text("ALTER TABLE kept ADD COLUMN size " "float"))
    for statement in ("CREATE INDEX kept_size ON kept (size)",):
        op.execute(statement)
def downgrade() -> None:
    pass
"""
ECTO = """
defmodule Shop.Repo.Migrations.Users do
  use Ecto.Migration
  def change do
    create table(:users, primary_key: false) do
      add :id, :uuid, primary_key: true
      add :name, :string, null: false
      add(:org_id, references(:orgs, on_delete: :nothing), null: false)
      timestamps()
    end
    create unique_index(:users, [:name])
    create index("users", [:org_id, :name], name: :by_org)
    create(index(:users, [:inserted_at]))
    execute "CREATE EXTENSION x"
  end
end
"""
ECTO_NEXT = """
defmodule Shop.Repo.Migrations.More do
  use Ecto.Migration
  def up do
    create table(:orgs, primary_key: [type: :binary_id]) do
      add :tags, {:array, :string}
    end
    alter table(:users) do
      modify :name, :text, null: true
      add_if_not_exists :age, :integer
      remove :updated_at
    end
    rename table(:users), :age, to: :years
    drop index(:users, [:name])
    rename table(:users), to: table(:people)
    drop_if_exists table(:gone)
  end
  def down do
    drop table(:people)
  end
end
"""


def read(path: str, text: str) -> list[Change]:
    language = language_of(path)
    assert language
    return tables_in(path, parse(text.encode(), language), language.name)


def by_name(per_file: dict[str, list[Change]]) -> dict[str, Table]:
    return {table.name: table for table in combine(per_file)}


def test_alembic_is_replayed_along_its_revisions_whatever_the_files_are_called() -> None:
    files = {"versions/x.py": INITIAL, "versions/z.py": FIRST, "versions/a.py": LAST}
    found = by_name({path: read(path, text) for path, text in files.items()})
    assert set(found) == {"users", "firms", "kept"}
    users = found["users"]
    assert users.columns == (
        Column("id", "integer", nullable=False, primary=True),
        Column("title", "text", nullable=False),
        Column("org_id", "bigint"),
        Column("meta", "json", nullable=False),
        Column("born", "date"),
    )
    assert users.foreign_keys == (ForeignKey(("org_id",), "firms", ("id",)),)
    assert users.uniques == (("org_id", "born"),)
    assert users.indexes == (("org_id",),)
    assert [column.name for column in found["firms"].columns] == ["id"]
    kept = found["kept"]
    assert [(column.name, column.type) for column in kept.columns] == [
        ("id", "integer"), ("body", "json"), ("size", "float"),
    ]  # fmt: skip
    assert kept.indexes == (("size",),)


def test_migrations_of_ecto() -> None:
    files = {"m/20240101_a.exs": ECTO, "m/20240202_b.exs": ECTO_NEXT}
    found = by_name({path: read(path, text) for path, text in files.items()})
    assert set(found) == {"people", "orgs"}
    people = found["people"]
    assert people.columns == (
        Column("id", "uuid", nullable=False, primary=True),
        Column("name", "text"),
        Column("org_id", "bigint", nullable=False),
        Column("inserted_at", "timestamp", nullable=False),
        Column("years", "integer"),
    )
    assert people.foreign_keys == (ForeignKey(("org_id",), "orgs", ("id",)),)
    assert people.uniques == ()
    assert people.indexes == (("inserted_at",), ("org_id", "name"))
    assert [column.type for column in found["orgs"].columns] == ["uuid", "array"]


def test_a_model_and_its_migrations_are_one_table_the_model_names_it() -> None:
    model = read(
        "app/models.py",
        """
class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    ownerId: Mapped[Owner]
    state: Mapped[str]
""",
    )
    sql = """
        CREATE TABLE accounts (
            id bigint PRIMARY KEY, owner_id uuid NOT NULL, state text CHECK (state IN ('a')), e json);
        CREATE INDEX by_owner ON accounts (owner_id);
        CREATE TABLE alone (id int);
    """
    found = by_name({"db/1.sql": tables_in("db/1.sql", sql, "sql"), "app/models.py": model})
    assert set(found) == {"accounts", "alone"}
    accounts = found["accounts"]
    assert accounts.source == "sqlalchemy"
    assert accounts.path == "app/models.py"
    assert accounts.columns == (
        Column("id", "integer", nullable=False, primary=True),
        Column("ownerId", "other", nullable=False),
        Column("state", "text", nullable=False, enum="check"),
        Column("e", "json"),
    )
    assert accounts.indexes == (("ownerId",),)


def test_keys_declared_in_another_folder_find_their_table() -> None:
    found = by_name(
        {
            "sql/tables/a.sql": tables_in("a.sql", "CREATE TABLE t (a int, b int)", "sql"),
            "sql/constraints/a.sql": tables_in("a.sql", "ALTER TABLE t ADD PRIMARY KEY (a)", "sql"),
        }
    )
    assert found["t"].primary_key == ("a",)


def test_the_order_of_the_mapping_does_not_matter() -> None:
    files = {
        "versions/x.py": INITIAL,
        "versions/z.py": FIRST,
        "versions/a.py": LAST,
        "m/1_a.exs": ECTO,
        "m/2.exs": ECTO_NEXT,
    }
    per_file = {path: read(path, text) for path, text in files.items()}
    backwards = dict(reversed(per_file.items()))
    assert combine(per_file) == combine(backwards)
