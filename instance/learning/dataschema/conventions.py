"""How a repository keeps its tables: conventions with public names and the evidence for each, no name of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from instance.learning.dataschema.values import Column, ForeignKey, Table

_SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_CAMEL = re.compile(r"[a-z]+[a-z0-9]*(?:[A-Z][A-Za-z0-9]*)+")
_CREATED = frozenset({"createdat", "insertedat", "createdon", "datecreated", "createdtime", "creationdate", "created"})
_UPDATED = frozenset(
    {"updatedat", "modifiedat", "updatedon", "datemodified", "updatedtime", "modifiedon", "updated", "modified"}
    | {"lastmodified", "changedat"}
)
_DELETED = frozenset({"deletedat", "isdeleted", "deleted", "deletedon", "archivedat", "removedat", "discardedat"})
_TENANT = frozenset(
    {"tenantid", "organizationid", "organisationid", "orgid", "accountid", "workspaceid", "teamid", "companyid"}
    | {"tenant"}
)
_AUTHORS = frozenset({"createdby", "createdbyid", "updatedby", "updatedbyid", "modifiedby", "authorid", "changedby"})
_VERSIONS = frozenset({"version", "lockversion", "rowversion", "revision"})
_MONEY = frozenset({"price", "amount", "total", "cost", "balance", "subtotal", "unitprice", "totalamount"})
_SURROGATES = frozenset({"integer", "bigint", "uuid"})


class Convention(NamedTuple):
    """A convention by its public name: it holds for `holds` of the `of` things it could hold for."""

    name: str
    holds: int
    of: int
    description: str


class _Rule(NamedTuple):
    """What a convention asks of each thing it could hold for; None: it does not concern this one."""

    name: str
    description: str
    of_table: Callable[[Table], bool | None] | None = None
    of_column: Callable[[Column], bool | None] | None = None
    of_key: Callable[[Table, ForeignKey], bool | None] | None = None


def conventions(tables: Sequence[Table]) -> list[Convention]:
    """Return every convention that holds at least once, with how often it does and could."""
    found = (_count(rule, tables) for rule in _RULES)
    return [convention for convention in found if convention.holds]


def _count(rule: _Rule, tables: Sequence[Table]) -> Convention:
    verdicts: Iterable[bool | None] = ()
    if rule.of_table:
        verdicts = map(rule.of_table, tables)
    elif rule.of_column:
        verdicts = (rule.of_column(column) for table in tables for column in table.columns)
    elif rule.of_key:
        verdicts = (rule.of_key(table, key) for table in tables for key in table.foreign_keys)
    concerned = [verdict for verdict in verdicts if verdict is not None]
    return Convention(rule.name, sum(concerned), len(concerned), rule.description)


def _bare_names(table: Table) -> set[str]:
    return {_bare(column.name) for column in table.columns}


def _bare(name: str) -> str:
    return name.lower().replace("_", "")


def _surrogate(kind: str) -> Callable[[Table], bool | None]:
    def holds(table: Table) -> bool | None:
        types = [column.type for column in table.columns if column.primary]
        return types == [kind] if table.primary_key else None

    return holds


def _natural(table: Table) -> bool | None:
    types = [column.type for column in table.columns if column.primary]
    return len(types) == 1 and types[0] not in _SURROGATES if table.primary_key else None


def _composite(table: Table) -> bool | None:
    return len(table.primary_key) > 1 if table.primary_key else None


def _named(names: frozenset[str]) -> Callable[[Table], bool | None]:
    return lambda table: bool(_bare_names(table) & names)


def _stamped(table: Table) -> bool:
    names = _bare_names(table)
    return bool(names & _CREATED and names & _UPDATED)


def _stamped_once(table: Table) -> bool:
    names = _bare_names(table)
    return bool(names & _CREATED) and not names & _UPDATED


def _last_word(table: Table) -> str:
    return re.split(r"[_.]", table.name)[-1].lower()


def _is_plural(table: Table) -> bool:
    word = _last_word(table)
    return (word.endswith("s") and not word.endswith(("ss", "us", "is"))) or word in ("people", "children", "data")


def _indexed(table: Table, key: ForeignKey) -> bool:
    """Tell whether a key or an index begins with the columns of a foreign key."""
    size = len(key.columns)
    return any(
        names[:size] == key.columns for names in (table.primary_key, *table.uniques, *table.indexes)
    )  # fmt: skip


def _ends_in_id(_table: Table, key: ForeignKey) -> bool | None:
    return key.columns[0].lower().endswith("id") if len(key.columns) == 1 else None


def _limited(how: str) -> Callable[[Column], bool | None]:
    return lambda column: column.enum == how if column.enum else None


def _needed(column: Column) -> bool | None:
    return None if column.primary else not column.nullable


def _stored(names: frozenset[str], kinds: frozenset[str]) -> Callable[[Column], bool | None]:
    return lambda column: column.type in kinds if _bare(column.name) in names else None


_RULES = (
    _Rule("keys.bigint", "the primary key is one bigint", _surrogate("bigint")),
    _Rule("keys.integer", "the primary key is one integer", _surrogate("integer")),
    _Rule("keys.uuid", "the primary key is one UUID", _surrogate("uuid")),
    _Rule("keys.natural", "the primary key is one column with a meaning of its own", _natural),
    _Rule("keys.composite", "the primary key spans several columns", _composite),
    _Rule("timestamps.created-updated", "rows know when they were created and last changed", _stamped),
    _Rule("timestamps.created-only", "rows know when they were created, and are not expected to change", _stamped_once),
    _Rule("delete.soft", "rows are marked as deleted instead of removed", _named(_DELETED)),
    _Rule("tenancy.column", "rows name the tenant they belong to", _named(_TENANT)),
    _Rule("audit.authors", "rows know who created or changed them", _named(_AUTHORS)),
    _Rule("locking.version", "rows have a version, for optimistic locking", _named(_VERSIONS)),
    _Rule("json.columns", "part of a row is JSON", lambda table: any(each.type == "json" for each in table.columns)),
    _Rule("naming.tables-plural", "tables have plural names", _is_plural),
    _Rule("naming.tables-singular", "tables have singular names", lambda table: not _is_plural(table)),
    _Rule("naming.tables-snake-case", "tables have snake_case names", lambda table: _is_snake(table.name)),
    _Rule(
        "naming.columns-snake-case", "columns have snake_case names", of_column=lambda column: _is_snake(column.name)
    ),
    _Rule(
        "naming.columns-camel-case",
        "columns have camelCase names",
        of_column=lambda column: _CAMEL.fullmatch(column.name) is not None,
    ),
    _Rule("foreign-keys.indexed", "a foreign key is the start of an index or key", of_key=_indexed),
    _Rule("foreign-keys.named-id", "a foreign key's column ends in id", of_key=_ends_in_id),
    _Rule("enums.type", "limited values are a type of the database", of_column=_limited("type")),
    _Rule("enums.check", "limited values are text with a check", of_column=_limited("check")),
    _Rule("enums.model", "limited values are enforced by the model alone", of_column=_limited("model")),
    _Rule("columns.not-null", "a column that is no key is NOT NULL", of_column=_needed),
    _Rule(
        "money.exact",
        "sums of money are exact numbers",
        of_column=_stored(_MONEY, frozenset({"numeric", "integer", "bigint"})),
    ),
)


def _is_snake(name: str) -> bool:
    return _SNAKE.fullmatch(name.rpartition(".")[2]) is not None
