"""What the fleet has seen models do, and which model was advised for what."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_PRIORS = """
    CREATE TABLE routing_priors (
        job_type    text NOT NULL,
        model       text NOT NULL,
        context     jsonb NOT NULL,
        day         date NOT NULL,
        instances   bigint NOT NULL,
        body        jsonb NOT NULL,
        fetched_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (job_type, model, context)
    );
    COMMENT ON TABLE routing_priors IS 'What models came to in the fleet, as centralcloud said last.';
    CREATE INDEX result_states_by_kind ON result_states (job_type, day);
"""

_RECORDS = """
    CREATE TABLE routing_records (
        id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at           timestamptz NOT NULL DEFAULT clock_timestamp(),
        job_type     text NOT NULL CHECK (length(job_type) BETWEEN 1 AND 200),
        context      jsonb NOT NULL CHECK (jsonb_typeof(context) = 'object'),
        verifier     text,
        plan         text[] NOT NULL CHECK (cardinality(plan) > 0),
        propensity   double precision NOT NULL CHECK (propensity > 0 AND propensity <= 1),
        seed         bigint,
        reason       text NOT NULL,
        constraints  jsonb NOT NULL CHECK (jsonb_typeof(constraints) = 'object'),
        chosen_by    text NOT NULL
    );
    COMMENT ON TABLE routing_records IS 'Which plan was advised for what, and how likely it was to be.';
    COMMENT ON COLUMN routing_records.seed IS 'Of the possible worlds it was chosen in; NULL: there was no choice.';
    CREATE INDEX routing_records_by_time ON routing_records (at);
"""


def upgrade() -> None:
    for statements in (_PRIORS, _RECORDS):
        op.execute(statements)
