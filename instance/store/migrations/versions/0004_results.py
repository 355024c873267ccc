"""How jobs ended: facts, labels that come later, and the sums of them that leave the machine."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATES = """
    CREATE TABLE result_states (
        id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        day         date NOT NULL,
        job_type    text NOT NULL,
        model       text NOT NULL,
        context     jsonb NOT NULL,
        version     bigint NOT NULL CHECK (version > 0),
        sums        jsonb NOT NULL,
        changed_at  timestamptz NOT NULL DEFAULT now(),
        UNIQUE (day, job_type, model, context)
    );
    COMMENT ON TABLE result_states IS 'What leaves the machine of results, and stays when they are pruned.';
"""

_FACTS = """
    CREATE TABLE job_results (
        id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        job_id               text,
        instance_id          text NOT NULL,
        job_type             text NOT NULL CHECK (length(job_type) BETWEEN 1 AND 200),
        workflow             text NOT NULL DEFAULT '',
        status               text NOT NULL DEFAULT 'unlabelled'
                             CHECK (status IN ('success', 'failed', 'timeout', 'cancelled', 'unlabelled')),
        success              boolean GENERATED ALWAYS AS
                             (CASE status WHEN 'success' THEN true WHEN 'failed' THEN false
                                          WHEN 'timeout' THEN false END) STORED,
        error                text NOT NULL DEFAULT '',
        duration_ms          bigint CHECK (duration_ms BETWEEN 0 AND 1e12),
        started_at           timestamptz,
        completed_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
        cost_cents           numeric(15, 6) CHECK (cost_cents >= 0),
        model_used           text,
        input_tokens         bigint CHECK (input_tokens BETWEEN 0 AND 1e12),
        output_tokens        bigint CHECK (output_tokens BETWEEN 0 AND 1e12),
        cache_read_tokens    bigint CHECK (cache_read_tokens BETWEEN 0 AND 1e12),
        cache_write_tokens   bigint CHECK (cache_write_tokens BETWEEN 0 AND 1e12),
        reasoning_tokens     bigint CHECK (reasoning_tokens BETWEEN 0 AND 1e12),
        tokens_used          bigint GENERATED ALWAYS AS
                             (CASE WHEN num_nonnulls(input_tokens, output_tokens, cache_read_tokens,
                                                     cache_write_tokens, reasoning_tokens) > 0
                                   THEN coalesce(input_tokens, 0) + coalesce(output_tokens, 0)
                                      + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
                                      + coalesce(reasoning_tokens, 0) END) STORED,
        context              jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(context) = 'object'),
        patterns_discovered  text[] NOT NULL DEFAULT '{}',
        insights             jsonb NOT NULL DEFAULT '{}',
        input_summary        text NOT NULL DEFAULT '',
        result_summary       text NOT NULL DEFAULT '',
        source               text NOT NULL DEFAULT 'sql',
        external_id          text,
        labelled_at          timestamptz,
        label_source         text,
        recorded_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
        counted              text,
        state_id             bigint REFERENCES result_states,
        UNIQUE (source, external_id),
        CHECK ((labelled_at IS NULL) = (label_source IS NULL)),
        CHECK ((counted IS NULL) = (state_id IS NULL))
    );
    COMMENT ON TABLE job_results IS 'Facts: nothing but the label of a result ever changes.';
    COMMENT ON COLUMN job_results.instance_id IS 'Which process of this instance it ran in, or else the instance.';
    COMMENT ON COLUMN job_results.success IS 'NULL: nobody knows.';
    COMMENT ON COLUMN job_results.cost_cents IS 'NULL: unknown, which is not 0.';
    COMMENT ON COLUMN job_results.input_tokens IS 'The five kinds of tokens do not overlap.';
    COMMENT ON COLUMN job_results.source IS 'Where it was recorded; there the external id is unique.';
    COMMENT ON COLUMN job_results.counted IS 'The status it is counted with; NULL: not yet.';
    COMMENT ON COLUMN job_results.state_id IS 'Where it is counted.';
    CREATE INDEX job_results_uncounted ON job_results (id) WHERE counted IS DISTINCT FROM status;
    CREATE INDEX job_results_by_time ON job_results (completed_at);
    CREATE INDEX job_results_by_job ON job_results (job_id) WHERE job_id IS NOT NULL;
    CREATE FUNCTION refuse_to_change_a_fact() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'what was recorded of a job does not change: label it, or record another result'
              USING ERRCODE = 'restrict_violation';
    END $$;
    CREATE TRIGGER job_results_are_facts
        BEFORE UPDATE OF job_type, model_used, context, completed_at, duration_ms, cost_cents, input_tokens,
               output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens ON job_results
        EXECUTE FUNCTION refuse_to_change_a_fact();
    CREATE TABLE job_results_pruned (
        source       text NOT NULL,
        external_id  text NOT NULL,
        PRIMARY KEY (source, external_id)
    );
    COMMENT ON TABLE job_results_pruned IS 'Counted and deleted: importing them again shall not count them again.';
"""

_LABELS = """
    CREATE TABLE job_result_labels (
        result_id    bigint NOT NULL REFERENCES job_results ON DELETE CASCADE,
        source       text NOT NULL,
        labelled_at  timestamptz NOT NULL,
        status       text NOT NULL CHECK (status IN ('success', 'failed', 'timeout', 'cancelled', 'unlabelled')),
        recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (result_id, labelled_at, source)
    );
    COMMENT ON TABLE job_result_labels IS 'Every word on every result; the latest, by (labelled_at, source), stands.';
"""


def upgrade() -> None:
    for statements in (_STATES, _FACTS, _LABELS):
        op.execute(statements)
