"""Tenants are kept apart by the database, too."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STATEMENTS = """
    DO $$
    DECLARE
        one record;
    BEGIN
        FOR one IN
            SELECT table_name, column_name
              FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
               AND column_name IN ('tenant', 'tenant_id')
        LOOP
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one.table_name);
            EXECUTE format(
                'CREATE POLICY one_tenant ON %I USING (%I = current_setting(''flocklore.tenant'', true))',
                one.table_name, one.column_name
            );
        END LOOP;
    END $$;
    ALTER VIEW distrusted SET (security_invoker = true);
    ALTER VIEW instances SET (security_invoker = true);
"""


def upgrade() -> None:
    op.execute(_STATEMENTS)
