"""What happens, as it happens: activity, samples for charts, and insights a person took back."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ACTIVITY = """
    CREATE SEQUENCE activity_places;
    CREATE TABLE activity (
        id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        place     bigint UNIQUE,
        at        timestamptz NOT NULL DEFAULT clock_timestamp(),
        tenant    text,
        kind      text NOT NULL
                  CHECK (kind IN ('learned', 'insight', 'instance', 'leader', 'dead_letter', 'job', 'schedule')),
        instance  text,
        data      jsonb NOT NULL DEFAULT '{}'
    );
    COMMENT ON TABLE activity IS 'What happened, in numbers and names, written in the transaction that did it.';
    COMMENT ON COLUMN activity.tenant IS 'NULL: it concerns the hubs, and so every tenant.';
    COMMENT ON COLUMN activity.place IS
        'Its number in the feed, given after it was committed: an id is taken before, and may be seen late.';
    CREATE INDEX activity_unplaced ON activity (id) WHERE place IS NULL;
    CREATE INDEX activity_by_tenant ON activity (tenant, place);
    CREATE INDEX activity_by_instance ON activity (tenant, instance, place) WHERE instance IS NOT NULL;
    CREATE FUNCTION announce_activity() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_notify('flocklore_activity', '');
        RETURN NULL;
    END $$;
    CREATE TRIGGER activity_is_announced AFTER INSERT ON activity
        FOR EACH STATEMENT EXECUTE FUNCTION announce_activity();
"""

# Whoever changes these tables need not think of the feed, and cannot forget it. What is copied to another server by
# `flocklore db move` did not happen there: it says so.
_TELLING = """
    CREATE FUNCTION tell(tenant text, kind text, instance text, data jsonb) RETURNS void
        LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        INSERT INTO activity (tenant, kind, instance, data) SELECT tenant, kind, instance, jsonb_strip_nulls(data)
         WHERE coalesce(current_setting('flocklore.copying', true), '') <> 'on'
    $$;
    CREATE FUNCTION tell_instance() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM tell(NEW.tenant, 'instance', NEW.instance_id, jsonb_build_object(
            'status', NEW.status, 'quarantined', NEW.quarantined_at IS NOT NULL,
            'was', CASE TG_OP WHEN 'UPDATE' THEN OLD.status END));
        RETURN NULL;
    END $$;
    CREATE TRIGGER instance_is_new AFTER INSERT ON instance_registry FOR EACH ROW EXECUTE FUNCTION tell_instance();
    CREATE TRIGGER instance_status_is_told AFTER UPDATE ON instance_registry FOR EACH ROW
        WHEN (OLD.status <> NEW.status OR (OLD.quarantined_at IS NULL) <> (NEW.quarantined_at IS NULL))
        EXECUTE FUNCTION tell_instance();
    CREATE FUNCTION tell_insights() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM tell(tenant, 'insight', NULL, jsonb_build_object(
                'changed', count(*), 'revoked', count(*) FILTER (WHERE body->>'state' = 'revoked'),
                'version', max(version), 'id', CASE count(*) WHEN 1 THEN min(id) END,
                'state', CASE count(*) WHEN 1 THEN min(body->>'state') END))
           FROM added GROUP BY tenant;
        RETURN NULL;
    END $$;
    CREATE TRIGGER insights_are_told AFTER INSERT ON insight_history REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION tell_insights();
    CREATE FUNCTION tell_leader() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM tell(NULL, 'leader', NULL, jsonb_build_object(
            'hostname', NEW.hostname, 'pid', NEW.pid, 'epoch', NEW.epoch, 'ended', NEW.ended));
        RETURN NULL;
    END $$;
    CREATE TRIGGER leader_is_told AFTER INSERT OR UPDATE ON lock_history FOR EACH ROW
        WHEN (NEW.lock_name = 'orchestrator:leader') EXECUTE FUNCTION tell_leader();
    CREATE FUNCTION tell_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM tell(NULL, 'job', NULL, jsonb_build_object(
            'id', NEW.id, 'kind', NEW.worker, 'queue', NEW.queue, 'state', NEW.state));
        RETURN NULL;
    END $$;
    CREATE TRIGGER job_is_told AFTER UPDATE ON oban_jobs FOR EACH ROW
        WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION tell_job();
    CREATE FUNCTION tell_schedule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM tell(NULL, 'schedule', NULL, jsonb_build_object(
            'name', NEW.name, 'failed', NEW.last_error IS NOT NULL,
            'seconds', round(extract(epoch FROM NEW.last_finished - NEW.last_started), 3)));
        RETURN NULL;
    END $$;
    CREATE TRIGGER schedule_is_told AFTER UPDATE OF last_finished ON schedule_runs FOR EACH ROW
        WHEN (OLD.last_error IS NOT NULL OR NEW.last_error IS NOT NULL
              OR NEW.next_run IS NULL OR NEW.next_run > NEW.last_started + interval '10 minutes')
        EXECUTE FUNCTION tell_schedule();
    COMMENT ON TRIGGER schedule_is_told ON schedule_runs IS 'Of what runs all the time only failures are news.';
"""

_ADOPTION = """
    ALTER TABLE instance_registry ADD COLUMN applied_at timestamptz, ADD COLUMN adopt_seconds double precision;
    COMMENT ON COLUMN instance_registry.applied_at IS 'When it was last heard to have applied insights.';
    COMMENT ON COLUMN instance_registry.adopt_seconds IS
        'From the last observation behind the newest insight it applied, of those made while it was here, until then.';
    CREATE FUNCTION note_adoption() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.applied_at := clock_timestamp();
        NEW.adopt_seconds := coalesce((
            SELECT extract(epoch FROM clock_timestamp() - max(o.received_at))
              FROM (SELECT h.id, h.changed_at FROM insight_history h
                     WHERE h.tenant = NEW.tenant AND h.body->>'state' = 'active'
                       AND h.version > greatest(OLD.insight_version, NEW.insight_version - 50)
                       AND h.version <= NEW.insight_version
                       AND h.changed_at > OLD.last_heartbeat - interval '1 minute'
                       AND NOT EXISTS (SELECT FROM insight_history e
                                        WHERE e.tenant = h.tenant AND e.id = h.id AND e.version < h.version)
                     ORDER BY h.version DESC LIMIT 1) AS made
              JOIN observations o ON o.tenant = NEW.tenant AND o.fingerprint = made.id
                                 AND o.received_at <= made.changed_at AND NOT o.forgotten), NEW.adopt_seconds);
        RETURN NEW;
    END $$;
    CREATE TRIGGER adoption_is_noted BEFORE UPDATE ON instance_registry FOR EACH ROW
        WHEN (NEW.insight_version > OLD.insight_version) EXECUTE FUNCTION note_adoption();
"""

_SAMPLES = """
    CREATE TABLE samples (
        tenant           text NOT NULL,
        at               timestamptz NOT NULL,
        events           bigint NOT NULL,
        insight_version  bigint NOT NULL,
        applied          bigint NOT NULL,
        instances        bigint NOT NULL,
        known_insights   bigint NOT NULL,
        waiting          bigint NOT NULL,
        letters          bigint NOT NULL,
        counted          jsonb,
        count_seconds    double precision,
        PRIMARY KEY (tenant, at),
        CHECK ((counted IS NULL) = (count_seconds IS NULL))
    );
    COMMENT ON TABLE samples IS 'The fleet in numbers, every half minute; the first three only grow.';
    COMMENT ON COLUMN samples.counted IS 'What takes long to count, as often as it is quick: GlobalStatistics.';
    CREATE INDEX samples_counted ON samples (tenant, at) WHERE counted IS NOT NULL;
"""

_WITHDRAWALS = """
    CREATE TABLE insight_withdrawals (
        tenant   text NOT NULL,
        insight  text NOT NULL CHECK (insight ~ '^[0-9a-f]{32}$'),
        by       text NOT NULL,
        reason   text NOT NULL,
        at       timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (tenant, insight)
    );
    COMMENT ON TABLE insight_withdrawals IS 'Taken back by a person: revoked whatever instances say, until restored.';
"""

_INDEXES = """
    CREATE INDEX insights_by_support ON insights (tenant, state, (CAST(body->>'instances' AS bigint)) DESC, id);
    CREATE INDEX insights_by_cluster ON insights (tenant, (body->>'cluster')) WHERE body->>'cluster' <> '';
    CREATE INDEX observations_by_arrival ON observations (tenant, first_received_at DESC, fingerprint);
    CREATE INDEX dead_letters_waiting ON dead_letters (id) WHERE replayed_at IS NULL;
"""


def upgrade() -> None:
    for statements in (_ACTIVITY, _TELLING, _ADOPTION, _SAMPLES, _WITHDRAWALS, _INDEXES):
        op.execute(statements)
