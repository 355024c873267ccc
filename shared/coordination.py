"""Tables both databases have, as their first migrations make them; a change is a migration in each."""

from __future__ import annotations

from typing import Final

TABLES_1: Final = """
    CREATE TABLE distributed_locks (
        lock_name     text PRIMARY KEY,
        instance_id   text NOT NULL,
        hostname      text NOT NULL,
        pid           integer NOT NULL,
        pid_started   double precision NOT NULL,
        epoch         bigint NOT NULL CHECK (epoch > 0),
        acquired_at   timestamptz NOT NULL,
        heartbeat_at  timestamptz NOT NULL,
        expires_at    timestamptz NOT NULL
    );
    CREATE TABLE schedule_runs (
        name           text PRIMARY KEY,
        last_started   timestamptz NOT NULL,
        last_finished  timestamptz,
        next_run       timestamptz,
        last_error     text,
        runs           bigint NOT NULL CHECK (runs > 0)
    );
"""
