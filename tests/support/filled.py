"""Databases with rows of every kind of type in them, and what a database holds, compared without its own checksums."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import sql

from shared.embedded.postgres import EmbeddedPostgres
from shared.inspection import Kind, migrations_of
from shared.migrations import upgrade
from tests.support.databases import copy_database

_TEMPLATE: Final = "filled_template"
_INSTANCE: Final = r"""
    INSERT INTO repositories (root, key)
    VALUES ('/src/ä "quoted" \ ', repeat('0', 32)), (E'/tab\t\nnewline', repeat('1', 32));
    INSERT INTO files (repository_id, path, size_bytes, mtime_ns, digest, language, postings)
    SELECT id, 'a.py', 7, 9223372036854775807, '\x00ff27', 'python', '\x5c' FROM repositories;
    INSERT INTO chunks (repository_id, path, ordinal, kind, name, start_line, end_line, digest, subtokens, times,
           length)
    SELECT id, 'a.py', n, 'function', 'f' || n, 1, 2, decode(md5(n::text), 'hex'), ARRAY['a,b', '', '"c"', NULL],
           ARRAY[1, 2, 3, 4], 10
      FROM repositories, generate_series(1, 50) n;
    INSERT INTO agents (repository_id, agent, inputs, seconds) SELECT id, 'miner', '', 'NaN' FROM repositories;
    INSERT INTO patterns (repository_id, fingerprint, kind, template, names, files, occurrences)
    SELECT id, decode(md5(root), 'hex'), 'code', '', '["\u2028", 1.10, null]', 1, 1 FROM repositories;
    INSERT INTO calibrations (language, body, fetched_at) VALUES ('python', '{"b": 1e3, "a": {}}', 'infinity');
    INSERT INTO insight_changes VALUES ('x', 1, 'applied', NULL, 'epoch'), ('x', 1, 'applied', NULL, 'epoch');
    INSERT INTO uplink (epoch, head, confirmed) VALUES (repeat('0', 32), 3, 2);
    INSERT INTO outbox (domain, kind, body, epoch, seq)
    SELECT 'code', 'pattern', '{}', repeat('0', 32), n FROM generate_series(1, 3) n;
    DELETE FROM outbox WHERE seq = 3;
    SELECT setval('lock_epochs', 41);
    INSERT INTO oban_jobs (state, worker, attempt, attempted_by, errors, tags, meta)
    VALUES ('executing', 'scan', 1, ARRAY['w1', 'b1'], ARRAY['{"error": "x"}'::jsonb], '{a}', '{"done": 0.1}'),
           ('available', 'scan', 0, NULL, '{}', '{}', '{}');
    INSERT INTO workers (name, boot_id, hostname, pid, pid_started, status)
    VALUES ('w1', '00000000-0000-4000-8000-000000000001', 'host', 1, 1e-300, 'offline');
    INSERT INTO workflow_runs (id, workflow_slug, input, remaining_steps) SELECT boot_id, 'scan', '[]', 1 FROM workers;
    INSERT INTO workflow_step_states (run_id, step_slug, remaining_deps) SELECT boot_id, 'mine', 0 FROM workers;
    INSERT INTO workflow_step_tasks (run_id, step_slug, task_index, idempotency_key)
    SELECT boot_id, 'mine', 0, 'k' FROM workers;
    INSERT INTO identity (tenant, instance_id, holder) VALUES ('default', 'ann', repeat('0', 32));
"""
_CENTRAL: Final = r"""
    INSERT INTO watermarks (tenant, instance, epoch, wm) VALUES ('default', 'ann', repeat('0', 32), 5);
    INSERT INTO received_envelopes (tenant, instance, epoch, first_seq, last_seq, hashes, body)
    VALUES ('default', 'ann', repeat('0', 32), 1, 1, '\x0011223344556677', '\x00');
    INSERT INTO dead_letters (subject, body, error) VALUES ('a.b', '\xff', 'unreadable');
    INSERT INTO insight_heads (tenant, version) VALUES ('default', 9);
    INSERT INTO instance_trust (tenant, instance, trust, z, facts) VALUES ('default', 'ann', 0.1, -0.0, 3);
"""


def fill(url: str, kind: Kind) -> None:
    """Bring a database to the newest schema and put rows in it."""
    upgrade(url, migrations_of(kind))
    with psycopg.connect(url) as connection:
        connection.execute(_INSTANCE if kind == "instance" else _CENTRAL)


def copy_filled(server: EmbeddedPostgres, url: str) -> None:
    """Make of an empty database of the session's server what `fill` makes of an instance's, only quicker."""
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
        made = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_TEMPLATE]).fetchone()
    if made is None:
        server.ensure_database(_TEMPLATE)
        fill(server.dsn(_TEMPLATE), "instance")
    copy_database(server.dsn(_TEMPLATE), url)


def fill_outbox(url: str, rows: int) -> None:
    """Put many rows in the outbox of an instance."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO outbox (domain, kind, body)"
            " SELECT 'code', 'pattern', convert_to(md5(n::text), 'UTF8') FROM generate_series(1, %s) n",
            [rows],
        )


def contents(url: str) -> dict[str, Any]:
    """Return every row of every table and where every sequence stands."""
    with psycopg.connect(url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        found: dict[str, Any] = {name: _rows(connection, name) for name in names}
        for (name,) in connection.execute("SELECT sequencename FROM pg_sequences").fetchall():
            found[name] = connection.execute(
                sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(name))
            ).fetchone()
        return found


def _rows(connection: psycopg.Connection[Any], name: str) -> list[str]:
    """Return the rows as the server writes them, for Python has no infinite time."""
    asking = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name))
    return sorted(row for (row,) in connection.execute(asking))
