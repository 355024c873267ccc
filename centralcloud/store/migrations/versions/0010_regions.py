"""Regions: what the hub above told, and which tenants belong where."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TOLD = """
    CREATE TABLE tellings (
        tenant    text PRIMARY KEY,
        instance  text NOT NULL,
        number    bigint NOT NULL DEFAULT 0 CHECK (number >= 0),
        version   bigint NOT NULL DEFAULT 0 CHECK (version >= 0),
        told_at   timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE tellings IS 'How far a delegate has told what the hub above knows; locked by whoever listens.';
    COMMENT ON COLUMN tellings.number IS 'How often it began.';
    CREATE TABLE insights_above (
        tenant   text NOT NULL,
        id       text NOT NULL CHECK (id ~ '^[0-9a-f]{32}$'),
        number   bigint NOT NULL,
        version  bigint NOT NULL CHECK (version >= 0),
        state    text NOT NULL CHECK (state IN ('active', 'revoked')),
        body     jsonb NOT NULL,
        told_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, id)
    );
    COMMENT ON TABLE insights_above IS 'Insights of the hub above, as told last: never evidence, and never told up.';
    COMMENT ON COLUMN insights_above.number IS 'Of the telling that said it last.';
    ALTER TABLE tellings ENABLE ROW LEVEL SECURITY;
    CREATE POLICY one_tenant ON tellings USING (tenant = current_setting('flocklore.tenant', true));
    ALTER TABLE insights_above ENABLE ROW LEVEL SECURITY;
    CREATE POLICY one_tenant ON insights_above USING (tenant = current_setting('flocklore.tenant', true));
"""

# A tenant may look at where it belongs, and may not change it.
_BELONGING = """
    CREATE TABLE tenant_regions (
        tenant_id         text PRIMARY KEY,
        primary_region    text NOT NULL CHECK (primary_region <> ''),
        fallback_regions  text[] NOT NULL DEFAULT '{}',
        created_at        timestamptz NOT NULL DEFAULT now(),
        CHECK (array_position(fallback_regions, primary_region) IS NULL)
    );
    COMMENT ON TABLE tenant_regions IS 'Which regions may hold what a tenant has; who is not here is not bound to any.';
    ALTER TABLE tenant_regions ENABLE ROW LEVEL SECURITY;
    CREATE POLICY one_tenant ON tenant_regions FOR SELECT
        USING (tenant_id = current_setting('flocklore.tenant', true));
    CREATE VIEW regions_heard AS
        SELECT region, greatest(0, extract(epoch FROM clock_timestamp() - max(last_heartbeat)))::double precision
                       AS silent_seconds
          FROM instance_registry WHERE role = 'region' AND region <> '' AND status <> 'offline' GROUP BY region;
    COMMENT ON VIEW regions_heard IS 'How long ago a delegate of each region was heard, whichever tenant it is of.';
"""

_ARRIVALS = "CREATE INDEX result_states_by_arrival ON result_states (tenant, received_at)"


def upgrade() -> None:
    for statements in (_TOLD, _BELONGING, _ARRIVALS):
        op.execute(statements)
