"""Versions of technologies, trust in instances, and what people think of insights."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = """
    ALTER TABLE observations
        ADD COLUMN release text NOT NULL DEFAULT '',
        ADD COLUMN bits real NOT NULL DEFAULT 0 CHECK (bits >= 0);
    COMMENT ON COLUMN observations.bits IS 'Of a pattern of code: what its template tells, also of one not shared.';
    COMMENT ON COLUMN observations.release IS 'Of a framework or a package: which version of it.';
    ALTER TABLE insight_heads ADD COLUMN clustered bigint NOT NULL DEFAULT 0;
    COMMENT ON COLUMN insight_heads.clustered IS 'Near-duplicates were sought among insights up to this version.';
    CREATE TABLE instance_trust (
        tenant       text NOT NULL,
        instance     text NOT NULL,
        trust        double precision NOT NULL CHECK (trust BETWEEN 0 AND 1),
        z            double precision NOT NULL,
        facts        bigint NOT NULL CHECK (facts >= 0),
        since        timestamptz NOT NULL DEFAULT now(),
        released_at  timestamptz,
        PRIMARY KEY (tenant, instance)
    );
    COMMENT ON TABLE instance_trust IS 'Who was judged to be not wholly believed; who is not here is.';
    COMMENT ON COLUMN instance_trust.since IS 'When trust took this value.';
    COMMENT ON COLUMN instance_trust.released_at IS 'An operator believes it in spite of the judgement.';
    CREATE VIEW distrusted AS
        SELECT tenant, instance_id AS instance FROM instance_registry WHERE quarantined_at IS NOT NULL
        UNION ALL
        SELECT tenant, instance FROM instance_trust WHERE trust = 0 AND released_at IS NULL;
    COMMENT ON VIEW distrusted IS 'Whose word does not count at all: in quarantine, or set aside.';
    CREATE TABLE insight_feedback (
        tenant       text NOT NULL,
        insight      text NOT NULL CHECK (insight ~ '^[0-9a-f]{32}$'),
        instance     text NOT NULL,
        verdict      text NOT NULL CHECK (verdict IN ('accepted', 'rejected', 'withdrawn')),
        reason       text NOT NULL,
        epoch        text NOT NULL,
        version      bigint NOT NULL CHECK (version > 0),
        received_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, insight, instance)
    );
    COMMENT ON TABLE insight_feedback IS 'The newest word, by (epoch, version), of each instance on each insight.';
    CREATE TABLE calibrations (
        tenant     text NOT NULL,
        language   text NOT NULL,
        body       jsonb NOT NULL,
        fitted_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, language)
    );
    COMMENT ON TABLE calibrations IS 'How often what evidence foretells comes true, fitted from observations alone.';
    CREATE INDEX insight_feedback_by_instance ON insight_feedback (tenant, instance);
"""


def upgrade() -> None:
    op.execute(_STATEMENTS)
