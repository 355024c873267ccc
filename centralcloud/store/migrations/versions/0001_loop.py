"""The tables of the learning loop: what was received, what is known, what was concluded."""

from alembic import op

from shared import coordination

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_RECEIVED = """
    CREATE TABLE watermarks (
        tenant        text NOT NULL,
        instance      text NOT NULL,
        epoch         text NOT NULL CHECK (epoch ~ '^[0-9a-f]{32}$'),
        wm            bigint NOT NULL DEFAULT 0 CHECK (wm >= 0),
        durable_wm    bigint NOT NULL DEFAULT 0 CHECK (durable_wm <= wm),
        wm_hash       bytea,
        snapshot_seq  bigint,
        snapshot_done boolean NOT NULL DEFAULT false,
        forked        boolean NOT NULL DEFAULT false,
        updated_at    timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, instance, epoch)
    );
    COMMENT ON COLUMN watermarks.wm IS 'Every event of the epoch up to here is committed.';
    COMMENT ON COLUMN watermarks.snapshot_seq IS 'Once wm passes it, observations of older epochs are void.';
    CREATE TABLE received_envelopes (
        tenant       text NOT NULL,
        instance     text NOT NULL,
        epoch        text NOT NULL,
        first_seq    bigint NOT NULL CHECK (first_seq > 0),
        last_seq     bigint NOT NULL CHECK (last_seq >= first_seq),
        hashes       bytea NOT NULL CHECK (octet_length(hashes) = 8 * (last_seq - first_seq + 1)),
        body         bytea NOT NULL,
        received_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, instance, epoch, first_seq)
    );
    COMMENT ON TABLE received_envelopes IS 'The log as it arrived; ranges never overlap.';
    ALTER TABLE received_envelopes ALTER COLUMN body SET STORAGE EXTERNAL;
    COMMENT ON COLUMN received_envelopes.body IS 'Stored as it is: compressing it slowed ingest (measured).';
    CREATE INDEX received_by_end ON received_envelopes (tenant, instance, epoch, last_seq);
    CREATE TABLE forks (
        id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant       text NOT NULL,
        instance     text NOT NULL,
        epoch        text NOT NULL,
        first_seq    bigint NOT NULL,
        body         bytea NOT NULL,
        received_at  timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE dead_letters (
        id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant       text,
        instance     text,
        subject      text NOT NULL,
        epoch        text,
        seq          bigint,
        body         bytea NOT NULL,
        error        text NOT NULL,
        received_at  timestamptz NOT NULL DEFAULT now(),
        replayed_at  timestamptz
    );
    CREATE UNIQUE INDEX dead_letters_of_events ON dead_letters (tenant, instance, epoch, seq) WHERE seq IS NOT NULL;
    CREATE UNIQUE INDEX dead_letters_of_messages ON dead_letters (subject, sha256(body)) WHERE seq IS NULL;
"""

_KNOWN = """
    CREATE TABLE observations (
        tenant       text NOT NULL,
        instance     text NOT NULL,
        repository   text NOT NULL CHECK (repository ~ '^[0-9a-f]{32}$'),
        fingerprint  text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{32}$'),
        kind         text NOT NULL,
        language     text NOT NULL,
        view         text NOT NULL,
        name         text NOT NULL,
        template     text,
        files        bigint NOT NULL CHECK (files >= 0),
        occurrences  bigint NOT NULL CHECK (occurrences >= 0),
        forgotten    boolean NOT NULL,
        epoch        text NOT NULL,
        version      bigint NOT NULL CHECK (version > 0),
        seq          bigint NOT NULL,
        event_id     text NOT NULL,
        received_at  timestamptz NOT NULL DEFAULT now(),
        first_received_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, fingerprint, instance, repository)
    );
    COMMENT ON TABLE observations IS 'The newest state, by (epoch, version), of each pattern of each instance.';
    CREATE INDEX observations_by_instance ON observations (tenant, instance, epoch);
    CREATE INDEX observations_by_language ON observations (tenant, language, instance, repository);
    CREATE TABLE changed_patterns (
        tenant       text NOT NULL,
        fingerprint  text NOT NULL,
        changed_at   timestamptz NOT NULL DEFAULT now(),
        fresh        boolean NOT NULL DEFAULT true,
        PRIMARY KEY (tenant, fingerprint)
    );
    COMMENT ON TABLE changed_patterns IS 'Patterns to merge again.';
    COMMENT ON COLUMN changed_patterns.fresh IS 'May be news; false once its insight is active.';
    CREATE INDEX changed_patterns_fresh ON changed_patterns (tenant, fingerprint) WHERE fresh;
    CREATE TABLE instance_registry (
        tenant             text NOT NULL,
        instance_id        text NOT NULL,
        hostname           text NOT NULL DEFAULT '',
        pid                bigint NOT NULL DEFAULT 0,
        status             text NOT NULL CHECK (status IN ('online', 'paused', 'draining', 'offline')),
        role               text NOT NULL DEFAULT 'hybrid',
        region             text NOT NULL DEFAULT '',
        version            text NOT NULL DEFAULT '',
        capabilities       jsonb NOT NULL DEFAULT '[]',
        load               bigint NOT NULL DEFAULT 0,
        holder             text NOT NULL,
        epoch              text,
        head               bigint NOT NULL DEFAULT 0,
        confirmed          bigint NOT NULL DEFAULT 0,
        insight_version    bigint NOT NULL DEFAULT 0,
        started_at         timestamptz,
        last_heartbeat     timestamptz NOT NULL DEFAULT now(),
        created_at         timestamptz NOT NULL DEFAULT now(),
        quarantined_at     timestamptz,
        quarantine_reason  text,
        PRIMARY KEY (tenant, instance_id)
    );
    CREATE TABLE instance_statistics (
        tenant      text NOT NULL,
        instance    text NOT NULL,
        epoch       text NOT NULL,
        version     bigint NOT NULL,
        body        jsonb NOT NULL,
        updated_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, instance)
    );
"""

_CONCLUDED = """
    CREATE TABLE insight_heads (
        tenant   text PRIMARY KEY,
        version  bigint NOT NULL CHECK (version >= 0)
    );
    COMMENT ON TABLE insight_heads IS 'Locked by whoever writes insights, so that versions become visible in order.';
    CREATE TABLE insights (
        tenant      text NOT NULL,
        id          text NOT NULL CHECK (id ~ '^[0-9a-f]{32}$'),
        version     bigint NOT NULL CHECK (version > 0),
        state       text NOT NULL CHECK (state IN ('active', 'revoked')),
        kind        text NOT NULL,
        language    text NOT NULL,
        body        jsonb NOT NULL,
        changed_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, id),
        UNIQUE (tenant, version)
    );
    CREATE TABLE insight_history (
        tenant      text NOT NULL,
        version     bigint NOT NULL,
        id          text NOT NULL,
        body        jsonb NOT NULL,
        changed_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, version)
    );
    CREATE INDEX insight_history_by_id ON insight_history (tenant, id, version);
    CREATE TABLE fleet (
        tenant  text NOT NULL,
        body    jsonb NOT NULL,
        PRIMARY KEY (tenant)
    );
    COMMENT ON TABLE fleet IS 'Which repositories of which language the insights now stored were measured against.';
    CREATE TABLE statistics_history (
        tenant  text NOT NULL,
        at      timestamptz NOT NULL DEFAULT now(),
        body    jsonb NOT NULL,
        PRIMARY KEY (tenant, at)
    );
"""


def upgrade() -> None:
    for statements in (coordination.TABLES_1, _RECEIVED, _KNOWN, _CONCLUDED):
        op.execute(statements)
