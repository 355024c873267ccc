"""What the fleet has seen models do, in pages as instances ask for them."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STATEMENTS = """
    CREATE TABLE routing_priors (
        tenant      text NOT NULL,
        page        integer NOT NULL CHECK (page >= 0),
        day         date NOT NULL,
        digest      text NOT NULL CHECK (digest ~ '^[0-9a-f]{32}$'),
        body        jsonb NOT NULL,
        changed_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, page)
    );
    COMMENT ON TABLE routing_priors IS 'What models came to in the fleet: priors, never verdicts.';
    COMMENT ON COLUMN routing_priors.digest IS 'Of all pages of the tenant: those that belong together have the same.';
"""


def upgrade() -> None:
    op.execute(_STATEMENTS)
