"""How jobs ended in the fleet: the newest sums of each instance."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATEMENTS = """
    CREATE TABLE result_states (
        tenant              text NOT NULL,
        instance            text NOT NULL,
        day                 date NOT NULL,
        job_type            text NOT NULL,
        model               text NOT NULL,
        context             jsonb NOT NULL,
        epoch               text NOT NULL,
        version             bigint NOT NULL CHECK (version > 0),
        seq                 bigint NOT NULL,
        event_id            text NOT NULL,
        results             bigint NOT NULL,
        succeeded           bigint NOT NULL,
        failed              bigint NOT NULL,
        priced              bigint NOT NULL,
        cost_microcents     bigint NOT NULL,
        cost                jsonb NOT NULL,
        metered             bigint NOT NULL,
        input_tokens        bigint NOT NULL,
        output_tokens       bigint NOT NULL,
        cache_read_tokens   bigint NOT NULL,
        cache_write_tokens  bigint NOT NULL,
        reasoning_tokens    bigint NOT NULL,
        timed               bigint NOT NULL,
        latency_ms          bigint NOT NULL,
        latency_ms_squared  double precision NOT NULL,
        latency             jsonb NOT NULL,
        received_at         timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, day, job_type, model, context, instance),
        CHECK (succeeded >= 0 AND failed >= 0 AND succeeded + failed <= results)
    );
    COMMENT ON TABLE result_states IS 'The newest sums, by (epoch, version), of each instance.';
    CREATE INDEX result_states_by_instance ON result_states (tenant, instance, epoch);
"""


def upgrade() -> None:
    op.execute(_STATEMENTS)
