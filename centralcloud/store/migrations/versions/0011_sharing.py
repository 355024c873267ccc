"""A tenant may offer another its insights, which that one may accept: two rows, and each side writes its own."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_HALVES = """
    CREATE TABLE sharing_offers (
        owner   text NOT NULL,
        reader  text NOT NULL CHECK (reader <> owner),
        by      text NOT NULL,
        at      timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (owner, reader)
    );
    COMMENT ON TABLE sharing_offers IS 'The owner lets the reader see its insights, once that one accepts.';
    CREATE INDEX sharing_offers_by_reader ON sharing_offers (reader, owner);
    CREATE TABLE sharing_acceptances (
        owner   text NOT NULL,
        reader  text NOT NULL,
        by      text NOT NULL,
        at      timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (owner, reader),
        FOREIGN KEY (owner, reader) REFERENCES sharing_offers ON DELETE CASCADE
    );
    COMMENT ON TABLE sharing_acceptances IS 'The reader wants to see them; goes with the offer.';
"""

_POLICIES = """
    ALTER TABLE sharing_offers ENABLE ROW LEVEL SECURITY;
    CREATE POLICY both_see ON sharing_offers FOR SELECT
        USING (current_setting('flocklore.tenant', true) IN (owner, reader));
    CREATE POLICY owner_offers ON sharing_offers FOR INSERT
        WITH CHECK (owner = current_setting('flocklore.tenant', true));
    CREATE POLICY both_end ON sharing_offers FOR DELETE
        USING (current_setting('flocklore.tenant', true) IN (owner, reader));
    ALTER TABLE sharing_acceptances ENABLE ROW LEVEL SECURITY;
    CREATE POLICY both_see ON sharing_acceptances FOR SELECT
        USING (current_setting('flocklore.tenant', true) IN (owner, reader));
    CREATE POLICY reader_accepts ON sharing_acceptances FOR INSERT
        WITH CHECK (reader = current_setting('flocklore.tenant', true));
"""

# A view of its own, read with the rights of its owner, so that the policy of `insights` stays what it is: whoever
# forgets whose insights it wants finds none of another. Only the fields named here are shared, whatever comes later.
_SHARED = """
    CREATE VIEW shared_insights AS
        SELECT i.tenant AS owner, i.version, i.kind, i.language,
               (SELECT jsonb_object_agg(field.key, field.value) FROM jsonb_each(i.body) AS field
                 WHERE field.key IN ('id', 'version', 'kind', 'state', 'language', 'view', 'name', 'template',
                                     'instances', 'repositories', 'files', 'occurrences', 'rate', 'confidence',
                                     'file_rate', 'file_repositories', 'versions', 'accepted', 'rejected')) AS body
          FROM sharing_acceptances s JOIN insights i ON i.tenant = s.owner
         WHERE s.reader = current_setting('flocklore.tenant', true) AND i.state = 'active';
    COMMENT ON VIEW shared_insights IS 'What other tenants share with the one that asks: no instance is named in it.';
"""


def upgrade() -> None:
    for statements in (_HALVES, _POLICIES, _SHARED):
        op.execute(statements)
