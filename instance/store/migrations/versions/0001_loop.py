"""The tables of the learning loop: identity, workspace, patterns, outbox, insights."""

from alembic import op

from shared import coordination

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_IDENTITY = """
    CREATE TABLE identity (
        singleton             boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        tenant           text NOT NULL,
        instance_id      text NOT NULL,
        holder           text NOT NULL CHECK (holder ~ '^[0-9a-f]{32}$'),
        admitted         boolean NOT NULL DEFAULT false,
        previous_holder  text CHECK (previous_holder ~ '^[0-9a-f]{32}$'),
        created_at       timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE identity IS 'Who this database belongs to; the holder is new at every start of the daemon.';
    COMMENT ON COLUMN identity.previous_holder IS 'The last one before it that centralcloud admitted.';
"""

_WORKSPACE = """
    CREATE TABLE repositories (
        id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        root        text NOT NULL UNIQUE,
        key         text NOT NULL UNIQUE CHECK (key ~ '^[0-9a-f]{32}$'),
        scanned_at  timestamptz,
        created_at  timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON COLUMN repositories.key IS 'What leaves the machine instead of the name.';
    CREATE TABLE files (
        repository_id  integer NOT NULL REFERENCES repositories ON DELETE CASCADE,
        path           text NOT NULL,
        size_bytes     bigint NOT NULL CHECK (size_bytes >= 0),
        mtime_ns       bigint NOT NULL,
        digest         bytea NOT NULL,
        language       text NOT NULL,
        postings       bytea NOT NULL,
        PRIMARY KEY (repository_id, path)
    );
    COMMENT ON COLUMN files.postings IS 'Packed fingerprints and counts: a change is a subtraction and an addition.';
    CREATE TABLE patterns (
        repository_id  integer NOT NULL REFERENCES repositories ON DELETE CASCADE,
        fingerprint    bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
        kind           text NOT NULL,
        language       text NOT NULL DEFAULT '',
        view           text NOT NULL DEFAULT '',
        template       text NOT NULL,
        names          jsonb NOT NULL DEFAULT '[]',
        tokens         integer NOT NULL DEFAULT 0,
        files          integer NOT NULL CHECK (files >= 0),
        occurrences    integer NOT NULL CHECK (occurrences >= 0),
        PRIMARY KEY (repository_id, fingerprint)
    );
    CREATE INDEX patterns_by_files ON patterns (repository_id, files DESC) WHERE files > 1;
    CREATE TABLE observations (
        repository_id  integer NOT NULL REFERENCES repositories ON DELETE CASCADE,
        fingerprint    bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
        kind           text NOT NULL,
        version        integer NOT NULL CHECK (version > 0),
        files          integer NOT NULL CHECK (files >= 0),
        occurrences    integer NOT NULL CHECK (occurrences >= 0),
        shared_template boolean NOT NULL DEFAULT false,
        forgotten      boolean NOT NULL DEFAULT false,
        changed_at     timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (repository_id, fingerprint)
    );
    COMMENT ON TABLE observations IS 'What was last said of each pattern, and in which version.';
"""

_UPLINK = """
    CREATE TABLE uplink (
        singleton        boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        epoch       text NOT NULL CHECK (epoch ~ '^[0-9a-f]{32}$'),
        head        bigint NOT NULL DEFAULT 0 CHECK (head >= 0),
        confirmed   bigint NOT NULL DEFAULT 0 CHECK (confirmed BETWEEN 0 AND head),
        rotations   integer NOT NULL DEFAULT 0,
        share_since timestamptz
    );
    COMMENT ON COLUMN uplink.share_since IS 'When a hub was first allowed to hear us; NULL while isolated.';
    CREATE TABLE outbox (
        id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        domain        text NOT NULL,
        kind          text NOT NULL,
        body          bytea NOT NULL,
        created_at    timestamptz NOT NULL DEFAULT now(),
        epoch         text,
        seq           bigint CHECK (seq > 0),
        attempt       integer NOT NULL DEFAULT 0,
        sent_at       timestamptz,
        confirmed_at  timestamptz,
        CHECK ((epoch IS NULL) = (seq IS NULL)),
        UNIQUE (epoch, seq)
    );
    CREATE INDEX outbox_unnumbered ON outbox (id) WHERE seq IS NULL;
    CREATE INDEX outbox_unconfirmed ON outbox (seq) WHERE confirmed_at IS NULL;
"""

_DOWNLINK = """
    CREATE TABLE insights (
        id          text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
        version     bigint NOT NULL,
        state       text NOT NULL CHECK (state IN ('active', 'revoked')),
        body        jsonb NOT NULL,
        undone      boolean NOT NULL DEFAULT false,
        applied_at  timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE insight_changes (
        id          text NOT NULL,
        version     bigint NOT NULL,
        change      text NOT NULL CHECK (change IN ('applied', 'revoked', 'undone', 'redone')),
        body        jsonb,
        changed_at  timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX insight_changes_by_id ON insight_changes (id, changed_at);
    CREATE TABLE downlink (
        singleton     boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        version  bigint NOT NULL DEFAULT 0 CHECK (version >= 0)
    );
    INSERT INTO downlink DEFAULT VALUES;
    CREATE TABLE public_names (
        language  text NOT NULL,
        name      text NOT NULL,
        PRIMARY KEY (language, name)
    );
    COMMENT ON TABLE public_names IS 'Names in insights of at least three instances: no secret of ours.';
"""


def upgrade() -> None:
    for statements in (coordination.TABLES_1, _IDENTITY, _WORKSPACE, _UPLINK, _DOWNLINK):
        op.execute(statements)
