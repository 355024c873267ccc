"""Many processes on one database: workers, jobs, locks with history, schedules fired once, workflows."""

from alembic import op

from shared import coordination

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_VIEWS = """
    CREATE VIEW instance_registry AS
        SELECT name AS instance_id, hostname, pid, status, load, last_heartbeat_at AS last_heartbeat, role, region,
               version, capabilities, started_at, created_at
          FROM workers;
    COMMENT ON VIEW instance_registry IS 'The processes of this instance; the fleet is known to centralcloud.';
    CREATE VIEW instances AS
        SELECT name AS instance_id, hostname, started_at, last_heartbeat_at AS last_heartbeat, status,
               metadata || jsonb_build_object('version', version, 'role', role, 'region', region) AS metadata
          FROM workers;
"""

_MAILBOXES = """
    DO $$ BEGIN
    CREATE SCHEMA pgmq;
    CREATE VIEW pgmq.q_centralcloud_updates AS
        SELECT o.id AS msg_id, 'centralcloud_updates' AS queue_name, o.created_at AS enqueued_at,
               jsonb_build_object('instance_id', i.instance_id, 'type', o.domain || '.' || o.kind)
               || convert_from(o.body, 'UTF8')::jsonb AS message
          FROM outbox o CROSS JOIN identity i;
    CREATE VIEW pgmq.q_instance_learning AS
        SELECT row_number() OVER (ORDER BY changed_at, id) AS msg_id, changed_at AS enqueued_at,
               jsonb_build_object('type', change, 'insight', id, 'version', version, 'body', body) AS message
          FROM insight_changes;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'no schema pgmq with views of the mailboxes: this user may not create schemas';
    END $$;
"""


def upgrade() -> None:
    for statements in (*coordination.TABLES_3, _VIEWS, _MAILBOXES):
        op.execute(statements)
