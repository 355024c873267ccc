"""Words on results that come first, requests told of twice, choices held out, and commits that are found at once."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_WORDS = """
    CREATE TABLE job_result_words (
        subject      text NOT NULL CHECK (subject IN ('job', 'commit')),
        name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        job_type     text NOT NULL DEFAULT '',
        source       text NOT NULL,
        labelled_at  timestamptz NOT NULL,
        status       text NOT NULL CHECK (status IN ('success', 'failed', 'timeout', 'cancelled', 'unlabelled')),
        recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (subject, name, job_type, labelled_at, source)
    );
    COMMENT ON TABLE job_result_words IS 'What was said of a job or a commit, for results of it that come later.';
    COMMENT ON COLUMN job_result_words.job_type IS 'Only results of this kind; empty: of any.';
    CREATE INDEX job_result_words_by_time ON job_result_words (recorded_at);
    CREATE INDEX job_result_words_by_commit ON job_result_words (left(name, 7)) WHERE subject = 'commit';
"""

_COMMITS = """
    CREATE FUNCTION commits_in(context jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT array_agg(left(one, 7)) FROM string_to_table(context->>'commit', ' ') AS one
    $$;
    COMMENT ON FUNCTION commits_in IS 'The first seven digits of the commits a job made or judged.';
    CREATE INDEX job_results_by_commit ON job_results USING gin (commits_in(context)) WHERE context ? 'commit';
    CREATE INDEX job_results_of_commits ON job_results (completed_at) WHERE context ? 'commit';
"""

_TWICE = """
    CREATE INDEX job_results_by_response ON job_results ((context->>'response')) WHERE context ? 'response';
    CREATE INDEX job_results_by_record ON job_results (recorded_at);
"""

_HELD_OUT = """
    ALTER TABLE routing_records ADD COLUMN held_out boolean;
    COMMENT ON COLUMN routing_records.held_out IS 'Whether the lot fell on the incumbent; NULL: no lot was drawn.';
"""


def upgrade() -> None:
    for statements in (_WORDS, _COMMITS, _TWICE, _HELD_OUT):
        op.execute(statements)
