"""In which trace an event was made, for whoever sends it."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE outbox ADD COLUMN traceparent text")
    op.execute("COMMENT ON COLUMN outbox.traceparent IS 'W3C trace context of what made the event; NULL: not traced.'")
