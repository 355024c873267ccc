"""Many processes on one database: workers, jobs, locks with history, schedules fired once, workflows."""

from alembic import op

from shared import coordination

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_VIEWS = """
    CREATE VIEW instances AS
        SELECT tenant, instance_id, hostname, started_at, last_heartbeat, status,
               jsonb_build_object('version', version, 'role', role, 'region', region) AS metadata
          FROM instance_registry;
"""


def upgrade() -> None:
    for statements in (*coordination.TABLES_3, _VIEWS):
        op.execute(statements)
