"""The flocklore.toml that `flocklore config init` writes."""

from __future__ import annotations

from typing import Final

TEMPLATE: Final = """\
# Settings of Flocklore. The environment comes before this file, flags before the environment:
# FLOCKLORE_<NAME> sets any of these; INSTANCE_ID, DATABASE_URL, NATS_URL, NATS_HOST, NATS_PORT work as they are.
# Of URLs and tokens <NAME>_FILE is the path of a file that holds it: DATABASE_URL_FILE, FLOCKLORE_HTTP_TOKEN_FILE.
# What stands here is the default or, where that is nothing, an example. `flocklore config show` tells what is in force.

# ---- for both daemons ----

# tenant = "default"                    # whose fleet this is
# environment = "development"           # told in every message
# region = ""
# state_dir = "/var/lib/flocklore"      # where the embedded servers keep their data
# database_url = "postgresql://flocklore@db.example.org/flocklore"    # PostgreSQL 15+; without it an embedded one
# database_pool_size = 5                # connections that stay open for work, and as many for HTTP
# database_pool_overflow = 5            # and so many more of either while they are needed
# database_wait_seconds = 1.0           # who asks over HTTP and would wait longer for one is told to ask again
# nats_url = "nats://nats.example.org:4222"                           # one or several, comma-separated
# nats_host = "nats.example.org"        # the same in two parts
# nats_port = 4222
# dns_cluster_query = "nats.internal"   # a name that stands for all servers there are now
# nats_credentials = "/etc/flocklore/nats.creds"    # `flocklore nats add-instance` makes such a file
# nats_tls_ca = "/etc/flocklore/ca.pem"             # who signs the servers' certificates; then all is encrypted
# nats_tls_cert = "/etc/flocklore/client.pem"       # our own certificate, where servers ask for one
# nats_tls_key = "/etc/flocklore/client.key"        # without it the key is in nats_tls_cert
# log_level = "info"                    # debug, info, warning, error
# log_format = "auto"                   # console, json; auto: console on a terminal
# syslog = "localhost:514"              # host:port (UDP), or the path of a socket
# ready_file = "/run/flocklore.ready"   # made when the daemon is ready
# trace_url = "http://collector:4318/v1/traces"    # where spans are sent; needs flocklore[otel]
# role = "hybrid"                       # hybrid, worker, ingestor, web, read_only
# worker_id = "desk"                    # this process, among those that share the database
# heartbeat_seconds = 5.0
# dead_seconds = 30.0                   # a process silent for so long is dead; its jobs are run by others
# http_port = 8080                      # where a daemon answers over HTTP (PORT); 0: any free port; by default nowhere
# http_host = "127.0.0.1"               # another address than of this machine alone needs http_token
# http_token = "a long random word"     # who sends it may read and change everything; by default who is on this machine
# http_read_token = "another one"       # who sends it may read everything
# http_names = "hub.example.org"        # further names it is reached by, comma-separated; needs http_token
# http_requests_per_second = 200.0      # of each address; twice as many for a moment

[instance]
# instance_id = "my-machine"            # by default made of the host's name
# workspace = "/srv/code/a:/srv/code/b" # directories to study, separated as in PATH
# share_code_templates = "public"       # what may leave the machine: public, all, never
# share_schema_names = false            # names of tables may leave, too
# agents_off = "usage, modeller"        # agents that shall not study here
# share_backlog = false                 # say what was learned in isolation once there is a hub
# patterns_shared_max = 5000            # per repository and language
# pattern_files_min = 2                 # a shape in fewer files is no pattern
# watch_transcripts = false             # read what coding agents wrote of their work here: models, tokens, times
# otlp_port = 4318                      # take in OpenTelemetry of programs on this machine
# prices = "/etc/flocklore/prices.toml" # prices of models that come before those known
# routing = true                        # false: `flocklore route` always answers with the incumbent
# routing_exploration = 0.2             # share of choices that may try what is not expected to be best
# routing_success_min = 0.8             # by default as good as the incumbent, or as the best single model
# routing_pinned = "small-model"        # always this, comma-separated: tried in this order
# routing_forbidden = "slow-model"      # never these, comma-separated
# routing_only = "small,large"          # these alone may be chosen; empty: all that are known
# routing_holdout = 0.0                 # share of choices that is the incumbent by lot, to measure advice against
# region_nats_url = "nats://nats.eu.example.org:4222"    # makes it the delegate of this region (`region`)
# region_nats_credentials = "/etc/flocklore/eu.creds"    # as nats_credentials, for the region's NATS
# region_nats_tls_ca = "/etc/flocklore/eu-ca.pem"        # as nats_tls_ca
# region_nats_tls_cert = "/etc/flocklore/eu-client.pem"  # as nats_tls_cert
# region_nats_tls_key = "/etc/flocklore/eu-client.key"   # as nats_tls_key

[instance.queues]
# default = 10                          # the queues this process serves, and how many jobs at once; by default all

[instance.schedules]
# pattern_mining = "3600"               # seconds, a cron line, or "off"

[centralcloud]
# orchestrator_role = "primary"         # of several on one database: primary or standby
# leadership_ttl_seconds = 10.0         # so long after the death of the leader another leads
# leadership_check_seconds = 5.0
# database_read_url = "postgresql://flocklore@replica.example.org/hub"    # what is only read over HTTP is read there
# database_read_stale_seconds = 10.0    # a replica further behind is passed over
# stream_replicas = 1                   # 3 in a NATS cluster of three or more
# backlog_max = 5000                    # above so many events that wait, instances are asked to slow down
# suspect_seconds = 30.0                # a holder silent for so long may be replaced
# silence_seconds = 7.5                 # ... and this long by a restart of its own database
# half_life_days = 90.0                 # the word of an instance silent for so long counts half
# insight_instances_min = 2             # what fewer instances know is no insight; the same on every hub
# region_delegate = "eu"                # the instance that tells what the hub above this region knows; by default none
# signatures = "known"                  # "required": what is not signed is refused; "off": nobody looks at them
# ingest_events_per_minute = 100000     # of one instance, in one process: what is above it waits

[centralcloud.ingest_tokens]
# ci-runner-1 = "a long random word"    # who sends it may post to /ingest as this instance

[centralcloud.tenant_tokens]
# team-a = "a long random word"         # who sends it may see and change what this tenant has
"""
