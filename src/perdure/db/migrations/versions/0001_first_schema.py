"""The first schema: jobs and their events, deliveries and their tries, workers, job types, files, the local inbox."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE perdure.jobs (
        job_id uuid NOT NULL CONSTRAINT jobs_pkey PRIMARY KEY,
        job_type text NOT NULL,
        queue text NOT NULL,
        rank smallint NOT NULL,
        status text NOT NULL,
        run integer NOT NULL,
        attempt integer NOT NULL,
        max_attempts integer NOT NULL,
        fence bigint NOT NULL,
        worker_id uuid,
        timeout_seconds double precision NOT NULL,
        retry_base_seconds double precision NOT NULL,
        retry_max_seconds double precision NOT NULL,
        run_at timestamptz NOT NULL,
        created_at timestamptz NOT NULL,
        started_at timestamptz,
        finished_at timestamptz,
        cancel_requested_at timestamptz,
        payload jsonb NOT NULL,
        context jsonb,
        notifications jsonb,
        tags jsonb NOT NULL,
        progress jsonb,
        result jsonb,
        error jsonb,
        CONSTRAINT jobs_status CHECK (status IN
            ('SCHEDULED', 'QUEUED', 'RUNNING', 'RETRYING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
        CONSTRAINT jobs_running_has_worker CHECK ((status = 'RUNNING') = (worker_id IS NOT NULL)),
        CONSTRAINT jobs_running_has_start CHECK (status <> 'RUNNING' OR started_at IS NOT NULL),
        CONSTRAINT jobs_final_has_end CHECK
            ((status IN ('SUCCEEDED', 'FAILED', 'CANCELLED')) = (finished_at IS NOT NULL)),
        CONSTRAINT jobs_attempts CHECK (attempt BETWEEN 0 AND max_attempts),
        CONSTRAINT jobs_rank CHECK (rank BETWEEN -100 AND 100)
    ) WITH (
        -- Absolute thresholds: a queue's dead rows must be cleared at the same pace however long its history is.
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000
    )
    """,
    "CREATE INDEX jobs_ready ON perdure.jobs (queue, rank, run_at, job_id) WHERE status = 'QUEUED'",
    "CREATE INDEX jobs_due ON perdure.jobs (run_at) WHERE status IN ('SCHEDULED', 'RETRYING')",
    "CREATE INDEX jobs_running ON perdure.jobs (worker_id) WHERE status = 'RUNNING'",
    """
    CREATE TABLE perdure.job_events (
        job_id uuid NOT NULL,
        event_id bigint GENERATED ALWAYS AS IDENTITY,
        run integer NOT NULL,
        attempt integer NOT NULL,
        event text NOT NULL,
        at timestamptz NOT NULL,
        started_at timestamptz,
        data jsonb NOT NULL,
        CONSTRAINT job_events_pkey PRIMARY KEY (job_id, event_id)
    )
    """,
    """
    CREATE TABLE perdure.deliveries (
        delivery_id uuid NOT NULL CONSTRAINT deliveries_pkey PRIMARY KEY,
        job_id uuid NOT NULL,
        run integer NOT NULL,
        event text NOT NULL,
        channel text NOT NULL,
        provider text NOT NULL,
        recipient text,
        status text NOT NULL,
        reason text,
        attempts integer NOT NULL,
        fence bigint NOT NULL,
        next_attempt_at timestamptz,
        provider_message_id text,
        snapshot jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        finished_at timestamptz,
        resend_of uuid,
        CONSTRAINT deliveries_status CHECK (status IN
            ('PENDING', 'SENDING', 'RETRYING', 'SENT', 'FAILED', 'SKIPPED')),
        CONSTRAINT deliveries_live_has_due_time CHECK
            ((status IN ('PENDING', 'SENDING', 'RETRYING')) = (next_attempt_at IS NOT NULL)),
        CONSTRAINT deliveries_final_has_end CHECK
            ((status IN ('PENDING', 'SENDING', 'RETRYING')) = (finished_at IS NULL)),
        CONSTRAINT deliveries_silence_has_reason CHECK (status NOT IN ('SKIPPED', 'FAILED') OR reason IS NOT NULL)
    )
    """,
    """
    CREATE UNIQUE INDEX deliveries_once ON perdure.deliveries
        (job_id, run, event, channel, coalesce(recipient, '')) WHERE resend_of IS NULL
    """,
    """
    CREATE INDEX deliveries_due ON perdure.deliveries (next_attempt_at)
        WHERE status IN ('PENDING', 'SENDING', 'RETRYING')
    """,
    """
    CREATE TABLE perdure.delivery_attempts (
        delivery_id uuid NOT NULL,
        number integer NOT NULL,
        started_at timestamptz NOT NULL,
        duration_ms integer NOT NULL,
        provider text NOT NULL,
        verdict text NOT NULL,
        status_code integer,
        error_type text,
        message text,
        provider_message_id text,
        response_excerpt text,
        CONSTRAINT delivery_attempts_pkey PRIMARY KEY (delivery_id, number)
    )
    """,
    """
    CREATE TABLE perdure.workers (
        worker_id uuid NOT NULL CONSTRAINT workers_pkey PRIMARY KEY,
        hostname text NOT NULL,
        process_id integer NOT NULL,
        version text NOT NULL,
        queues text[] NOT NULL,
        job_types text[] NOT NULL,
        concurrency integer NOT NULL,
        started_at timestamptz NOT NULL,
        lease_until timestamptz NOT NULL
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE perdure.job_types (
        job_type text NOT NULL CONSTRAINT job_types_pkey PRIMARY KEY,
        description text NOT NULL,
        payload_schema jsonb NOT NULL,
        result_schema jsonb NOT NULL,
        max_retries integer NOT NULL,
        timeout_seconds double precision NOT NULL,
        retry_base_seconds double precision NOT NULL,
        retry_max_seconds double precision NOT NULL,
        published_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE perdure.files (
        file_id uuid NOT NULL CONSTRAINT files_pkey PRIMARY KEY,
        name text NOT NULL,
        content_type text NOT NULL,
        size_bytes bigint NOT NULL,
        sha256 text NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE perdure.inbox_messages (
        message_id uuid NOT NULL CONSTRAINT inbox_messages_pkey PRIMARY KEY,
        inbox_id text NOT NULL,
        received_at timestamptz NOT NULL,
        mail jsonb NOT NULL
    )
    """,
    """
    CREATE TABLE perdure.schema_version (
        singleton integer NOT NULL CONSTRAINT schema_version_pkey PRIMARY KEY CHECK (singleton = 1),
        minimum_code_version integer NOT NULL
    )
    """,
    "INSERT INTO perdure.schema_version (singleton, minimum_code_version) VALUES (1, 1)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
