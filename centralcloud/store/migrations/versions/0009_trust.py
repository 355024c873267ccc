"""Whose signature is known, and word of it when an instance is set aside."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_KEYS = """
    CREATE TABLE instance_keys (
        tenant      text NOT NULL,
        instance    text NOT NULL,
        public_key  text NOT NULL CHECK (public_key ~ '^U[A-Z2-7]{55}$'),
        known_by    text NOT NULL CHECK (known_by IN ('first use', 'succession', 'operator')),
        since       timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, instance)
    );
    COMMENT ON TABLE instance_keys IS 'What an instance has signed with: from then on nothing else is its word.';
    ALTER TABLE instance_keys ENABLE ROW LEVEL SECURITY;
    CREATE POLICY one_tenant ON instance_keys USING (tenant = current_setting('flocklore.tenant', true));
    CREATE TABLE hub_key (
        singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        seed       text NOT NULL CHECK (seed ~ '^SU[A-Z2-7]{56}$'),
        made_at    timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE hub_key IS 'A secret: with it hubs vouch for what is posted to them over HTTP.';
    CREATE INDEX dead_letters_of_instances ON dead_letters (tenant, instance) WHERE replayed_at IS NULL;
"""

_ENOUGH = """
    ALTER TABLE fleet ADD COLUMN instances_min bigint NOT NULL DEFAULT 2;
    COMMENT ON COLUMN fleet.instances_min IS 'So many instances were enough for the insights that are there.';
"""

_TELLING = """
    CREATE FUNCTION tell_trust() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        was boolean := TG_OP <> 'INSERT' AND OLD.trust = 0 AND OLD.released_at IS NULL;
        now boolean := TG_OP <> 'DELETE' AND NEW.trust = 0 AND NEW.released_at IS NULL;
    BEGIN
        IF was <> now THEN
            PERFORM tell(coalesce(NEW.tenant, OLD.tenant), 'instance', coalesce(NEW.instance, OLD.instance),
                jsonb_build_object('set_aside', now, 'z', NEW.z, 'patterns', NEW.facts));
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER trust_is_told AFTER INSERT OR UPDATE OR DELETE ON instance_trust
        FOR EACH ROW EXECUTE FUNCTION tell_trust();
"""


def upgrade() -> None:
    op.execute(_KEYS)
    op.execute(_ENOUGH)
    op.execute(_TELLING)
