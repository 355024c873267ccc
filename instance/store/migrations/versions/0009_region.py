"""What a delegate knows of its region, and how often the hub above began to count anew."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_STATEMENTS = """
    ALTER TABLE downlink
        ADD COLUMN restarts bigint NOT NULL DEFAULT 0 CHECK (restarts >= 0),
        ADD COLUMN complete boolean NOT NULL DEFAULT false;
    COMMENT ON COLUMN downlink.restarts IS 'How often centralcloud has counted from the beginning again.';
    COMMENT ON COLUMN downlink.complete IS 'Whether there was no more when that version was applied.';
    CREATE TABLE region (
        singleton      boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        version        bigint NOT NULL DEFAULT 0 CHECK (version >= 0),
        lost_at        timestamptz,
        whole_at       timestamptz,
        results_since  timestamptz,
        told           bigint NOT NULL DEFAULT 0 CHECK (told >= 0),
        told_restarts  bigint NOT NULL DEFAULT 0 CHECK (told_restarts >= 0),
        leaves         boolean NOT NULL DEFAULT false,
        reason         text NOT NULL DEFAULT '',
        heard_at       timestamptz
    );
    COMMENT ON TABLE region IS 'Of a delegate: how far it has read its region, and how far it has told it.';
    COMMENT ON COLUMN region.version IS 'Up to which every insight of the region was taken in.';
    COMMENT ON COLUMN region.lost_at IS 'When its hub was seen to count anew; NULL once everything was read again.';
    COMMENT ON COLUMN region.whole_at IS 'When everything was last read, and what is no more taken back.';
    COMMENT ON COLUMN region.reason IS 'Why nothing goes up or down; empty when all goes.';
    INSERT INTO region DEFAULT VALUES;
"""


def upgrade() -> None:
    op.execute(_STATEMENTS)
