"""The key an instance signs with what it says."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STATEMENTS = """
    CREATE TABLE signing_key (
        singleton   boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        seed        text NOT NULL CHECK (seed ~ '^SU[A-Z2-7]{56}$'),
        succession  text NOT NULL DEFAULT '',
        made_at     timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE signing_key IS 'A secret: whoever has it can speak as this instance, where NATS lets him.';
    COMMENT ON COLUMN signing_key.succession IS 'Keys before it and what they signed of the next, the oldest first.';
"""


def upgrade() -> None:
    op.execute(_STATEMENTS)
