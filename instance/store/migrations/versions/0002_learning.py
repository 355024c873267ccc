"""What agents find beside the miner: facts of each file, findings with their own fields, feedback on insights."""

from alembic import op

from instance.store import chunks

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_FACTS = """
    ALTER TABLE files
        ADD COLUMN miner integer NOT NULL DEFAULT 1,
        ADD COLUMN facts bytea NOT NULL DEFAULT '';
    COMMENT ON COLUMN files.miner IS 'Version of the mining that read it; another version reads it again.';
    COMMENT ON COLUMN files.facts IS 'What agents need of it without reading it again: imports, calls, tables.';
"""

_FINDINGS = """
    ALTER TABLE patterns
        ADD COLUMN agent text NOT NULL DEFAULT 'miner',
        ADD COLUMN body jsonb NOT NULL DEFAULT '{}';
    UPDATE patterns SET agent = 'architect' WHERE kind = 'architecture.pattern';
    COMMENT ON COLUMN patterns.body IS 'Fields of its event beyond what every pattern has.';
    ALTER TABLE observations ADD COLUMN said jsonb NOT NULL DEFAULT '{}';
    COMMENT ON COLUMN observations.said IS 'The fields of its event as they last left the machine.';
    CREATE TABLE agents (
        repository_id  integer NOT NULL REFERENCES repositories ON DELETE CASCADE,
        agent          text NOT NULL,
        inputs         text NOT NULL,
        findings       integer NOT NULL DEFAULT 0 CHECK (findings >= 0),
        seconds        double precision NOT NULL,
        error          text,
        studied_at     timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (repository_id, agent)
    );
    COMMENT ON COLUMN agents.inputs IS 'Digest of what it read; the same digest is not studied again.';
"""

_FEEDBACK = """
    CREATE TABLE insight_feedback (
        id        text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
        verdict   text NOT NULL CHECK (verdict IN ('accepted', 'rejected', 'withdrawn')),
        reason    text NOT NULL DEFAULT '',
        version   bigint NOT NULL DEFAULT 1,
        given_at  timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE insight_feedback IS 'What the owner of this instance last said of an insight.';
"""

_CALIBRATIONS = """
    CREATE TABLE calibrations (
        language    text PRIMARY KEY,
        body        jsonb NOT NULL,
        fetched_at  timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE calibrations IS 'How often what evidence foretells comes true, as centralcloud found out.';
"""


def upgrade() -> None:
    for statements in (_FACTS, _FINDINGS, chunks.TABLES, _FEEDBACK, _CALIBRATIONS):
        op.execute(statements)
