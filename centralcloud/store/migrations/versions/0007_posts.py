"""Which posts were taken in: events of tools that number nothing themselves."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATEMENTS = """
    CREATE TABLE posts (
        tenant       text NOT NULL,
        instance     text NOT NULL,
        key          text NOT NULL CHECK (length(key) <= 100),
        received_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, instance, key)
    );
    COMMENT ON TABLE posts IS 'A post of the same key changes nothing, for as long as the key is remembered.';
    CREATE INDEX posts_by_age ON posts (received_at);
"""


def upgrade() -> None:
    op.execute(_STATEMENTS)
