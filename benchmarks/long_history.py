"""What a platform has behind it after a week of a million jobs: written by a few statements, the same at every run.

Twenty types in five queues, of a thousand users. A fourth of the jobs failed, in forty ways; the newest wait or run.
Around them is what such a platform has: steps, notifications with their tries, figures by the minute, schedules.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import asyncpg

BATCH = 50_000
"""Jobs that a statement writes."""

# ``mixed`` scatters what is derived from a job's number, so that its properties do not depend on each other.
_JOBS = """
    INSERT INTO perdure.jobs (job_id, job_type, queue, rank, status, run, attempt, max_attempts, fence, worker_id,
        timeout_seconds, retry_base_seconds, retry_max_seconds, run_at, created_at, started_at, finished_at, payload,
        tags, context, notifications, result, error)
    SELECT (substr(milliseconds, 1, 8) || '-' || substr(milliseconds, 9) || '-7000-8000-'
               || lpad(to_hex(number), 12, '0'))::uuid,
           'type.' || kind, 'q' || (kind + mixed / 32 % 2) % 5, 0, status, 1,
           CASE WHEN is_waiting THEN 0 WHEN status = 'FAILED' THEN 2 ELSE 1 END, 2, 1,
           CASE WHEN status = 'RUNNING' THEN ('00000000-0000-7000-8000-' || lpad((kind + 1)::text, 12, '0'))::uuid END,
           60, 2, 300, at + CASE WHEN status IN ('SCHEDULED', 'RETRYING') THEN interval '30 days' ELSE '0' END,
           at, CASE WHEN NOT is_waiting THEN at + interval '1 s' END,
           CASE WHEN is_final THEN at + interval '3 s' END, jsonb_build_object('order', number),
           jsonb_build_array('usual', 'customer-' || mixed / 64 % 2000),
           jsonb_build_object('user_id', 'u' || user_number, 'email', 'user' || user_number || '@example.com'),
           CASE WHEN status = 'FAILED' OR mixed / 128 % 10 = 0 THEN '{"email": {"enabled": true}}'::jsonb END,
           CASE WHEN status = 'SUCCEEDED' THEN '{"rows": 12}'::jsonb END,
           CASE WHEN status = 'FAILED' THEN jsonb_build_object('type', 'GatewayError', 'reason', 'retries_exhausted',
               'message', 'the gateway refused order ' || number || CASE mixed % 5000 WHEN 0 THEN ' seldom' ELSE '' END,
               'traceback', repeat('x', 1500), 'fingerprint', lpad(to_hex(kind * 2 + mixed / 256 % 2), 16, '0')) END
    FROM generate_series($1::bigint, $2::bigint) AS number
    CROSS JOIN LATERAL (
        SELECT hashint8(number)::bigint & 2147483647 AS mixed,
               clock_timestamp() - interval '7 days' * (1 - number / $3::float8) AS at) AS scattered
    CROSS JOIN LATERAL (
        SELECT mixed % 20 AS kind, mixed / 512 % 1000 AS user_number,
               CASE WHEN number > 0.992 * $3 THEN
                        CASE WHEN number % 125 = 0 THEN 'RUNNING'
                             WHEN number % 8 = 0 THEN 'RETRYING' WHEN number % 4 = 0 THEN 'SCHEDULED' ELSE 'QUEUED' END
                    WHEN mixed / 1024 % 4 = 0 THEN 'FAILED' WHEN mixed % 199 = 0 THEN 'CANCELLED'
                    ELSE 'SUCCEEDED' END AS status) AS made
    CROSS JOIN LATERAL (
        SELECT status IN ('QUEUED', 'SCHEDULED', 'RETRYING') AS is_waiting,
               status IN ('SUCCEEDED', 'FAILED', 'CANCELLED') AS is_final,
               lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS milliseconds) AS stands
"""

# Each from the jobs: their tags; a step for each end, and one for each failure that was followed by another try; the
# tellings, of which the newest still wait; and the log of one job in a hundred.
_OF_JOBS = (
    "INSERT INTO perdure.job_tags SELECT tag, job_id FROM perdure.jobs, jsonb_array_elements_text(tags) AS tag",
    """
    INSERT INTO perdure.job_events (job_id, run, attempt, event, at, started_at, data)
    SELECT job_id, 1, 1, 'RETRY', created_at + interval '2 s', created_at + interval '1 s',
           jsonb_build_object('error', error)
    FROM perdure.jobs WHERE status = 'FAILED' ORDER BY job_id
    """,
    """
    INSERT INTO perdure.job_events (job_id, run, attempt, event, at, started_at, data)
    SELECT job_id, 1, attempt, CASE status WHEN 'SUCCEEDED' THEN 'SUCCESS' WHEN 'FAILED' THEN 'FAILURE' ELSE status END,
           finished_at, started_at, '{}'
    FROM perdure.jobs WHERE finished_at IS NOT NULL ORDER BY job_id
    """,
    """
    INSERT INTO perdure.deliveries (delivery_id, job_id, run, event, channel, destination, provider, recipient, status,
        reason, attempts, fence, snapshot, next_attempt_at, created_at, finished_at)
    SELECT job_id, job_id, 1, CASE job.status WHEN 'FAILED' THEN 'FAILURE' ELSE 'SUCCESS' END, channel, channel,
           CASE channel WHEN 'email' THEN 'mailtrap' ELSE channel END,
           CASE channel WHEN 'email' THEN context ->> 'email' WHEN 'webhook' THEN 'https://hooks.example.com/' END,
           told.status, CASE told.status WHEN 'FAILED' THEN 'permanent' WHEN 'SKIPPED' THEN 'event_not_selected' END,
           CASE told.status WHEN 'PENDING' THEN 0 WHEN 'SKIPPED' THEN 0 ELSE 1 END, 1,
           jsonb_build_object('job_id', job_id, 'job_type', job_type, 'queue', queue, 'run', 1, 'attempt', attempt,
               'max_attempts', 2, 'created_at', created_at, 'started_at', started_at, 'finished_at', finished_at,
               'user_id', context ->> 'user_id', 'error', error - '{traceback,fingerprint}'::text[], 'result', NULL),
           CASE told.status WHEN 'PENDING' THEN finished_at + interval '30 days' END, finished_at,
           CASE WHEN told.status <> 'PENDING' THEN finished_at END
    FROM perdure.jobs AS job
    CROSS JOIN LATERAL (SELECT hashtext(job_id::text)::bigint & 2147483647 AS mixed) AS scattered
    CROSS JOIN LATERAL (
        SELECT (ARRAY['email', 'email', 'email', 'webhook', 'slack'])[mixed % 5 + 1] AS channel,
               CASE WHEN mixed / 64 % 500 = 0 THEN 'PENDING' ELSE
                   (ARRAY['DELIVERED', 'DELIVERED', 'DELIVERED', 'SENT', 'SENT', 'FAILED', 'SKIPPED', 'BOUNCED'])
                   [mixed / 32 % 8 + 1] END AS status) AS told
    WHERE finished_at IS NOT NULL AND job.status <> 'CANCELLED' AND notifications IS NOT NULL
    """,
    """
    INSERT INTO perdure.delivery_attempts (delivery_id, number, started_at, duration_ms, provider, verdict, status_code,
        message)
    SELECT delivery_id, 1, created_at, 180, provider, CASE status WHEN 'FAILED' THEN 'permanent' ELSE 'accepted' END,
           CASE status WHEN 'FAILED' THEN 422 ELSE 200 END, CASE status WHEN 'FAILED' THEN 'no such mailbox' END
    FROM perdure.deliveries WHERE attempts > 0
    """,
    """
    INSERT INTO perdure.delivery_feedback (delivery_id, event_id, provider, kind, occurred_at, received_at)
    SELECT delivery_id, '1', provider, lower(status), created_at, created_at
    FROM perdure.deliveries WHERE status IN ('DELIVERED', 'BOUNCED')
    """,
    """
    INSERT INTO perdure.job_log_lines (job_id, line, run, attempt, at, level, message)
    SELECT job_id, line, 1, 1, created_at, 'info', 'read table ' || line
    FROM perdure.jobs, generate_series(1, 20) AS line
    WHERE started_at IS NOT NULL AND hashtext(job_id::text) % 100 = 0
    """,
)

# What there is a bounded number of, however many jobs: figures by the minute for a good week, each with as many
# counts as attempts, and few rows of each of the others.
_AROUND = (
    """
    INSERT INTO perdure.job_history (width_seconds, starts_at, queue, job_type, submitted, succeeded, failed, cancelled,
        retried, attempts, waits, durations)
    SELECT width, date_bin(make_interval(secs => width), now(), 'epoch') - make_interval(secs => step * width),
           'q' || (kind + part) % 5, 'type.' || kind, width / 20, width / 30, width / 60, 0, width / 60, width / 20,
           array_fill(0::bigint, ARRAY[15 + step % 20]) || found, array_fill(0::bigint, ARRAY[20 + step % 20]) || found
    FROM (VALUES (60, 8 * 24 * 60), (3600, 60 * 24)) AS kept(width, steps),
         LATERAL generate_series(0, steps * $1 / 100 - 1) AS step, generate_series(0, 19) AS kind,
         generate_series(0, 1) AS part, LATERAL (
             SELECT CASE width WHEN 60 THEN '{1,0,1,0,0,1}' ELSE array_fill(12::bigint, ARRAY[15]) END AS found) AS of
    """,
    """
    INSERT INTO perdure.job_tallies (tallied_at, tallier_id, submitted, succeeded, failed, cancelled, retried, attempts,
        wait_microseconds, duration_microseconds)
    SELECT now() - make_interval(secs => step), ('00000000-0000-7000-8000-' || lpad(part::text, 12, '0'))::uuid,
           3, 2, 1, 0, 1, 3, 3000000, 6000000
    FROM generate_series(1, 7200 * $1 / 100) AS step, generate_series(1, 3) AS part
    """,
    """
    INSERT INTO perdure.job_types (job_type, description, payload_schema, result_schema, max_retries, timeout_seconds,
        retry_base_seconds, retry_max_seconds, max_concurrent_per_key, published_at)
    SELECT 'type.' || kind, 'Works on an order.', '{"type": "object", "required": ["order"], "properties": {
               "order": {"type": "integer"}, "note": {"type": "string"}, "lines": {"type": "array", "items":
               {"type": "integer"}}}}'::jsonb, '{"type": "object"}', 1, 60, 2, 300, 1, now()
    FROM generate_series(0, 19) AS kind WHERE $1 > 0
    """,
    """
    INSERT INTO perdure.workers (worker_id, hostname, process_id, version, queues, job_types, concurrency, started_at,
        lease_until, sees_files)
    SELECT ('00000000-0000-7000-8000-' || lpad(number::text, 12, '0'))::uuid, 'worker-' || number, 4217, '1.0.0', '{}',
           ARRAY(SELECT job_type FROM perdure.job_types WHERE job_type <> 'type.19'), 16, now() - interval '1 day',
           now() + CASE WHEN number <= 20 THEN interval '30 days' ELSE '-10 min' END, true
    FROM generate_series(1, 30) AS number WHERE $1 > 0
    """,
    """
    INSERT INTO perdure.schedules (name, expression, time_zone, job, catch_up, overlap, paused, created_at, updated_at,
        settled_until, next_slot_at)
    SELECT 'schedule-' || number, '30 2 * * *', 'Europe/Berlin', '{"job_type": "type.1"}', 'latest', 'skip', false,
           now(), now(), now(), now() + interval '30 days'
    FROM generate_series(1, $1) AS number
    """,
    """
    INSERT INTO perdure.schedule_slots (name, slot_at, outcome, job_id)
    SELECT name, now() - make_interval(hours => step),
           CASE WHEN job_id IS NULL THEN 'overlapped' ELSE 'submitted' END, job_id
    FROM perdure.schedules, generate_series(1, $1) AS step,
         LATERAL (SELECT CASE WHEN step % 3 > 0 THEN gen_random_uuid() END AS job_id) AS made
    """,
    """
    INSERT INTO perdure.webhook_endpoints (name, url, secrets, created_at, updated_at, set_by, state, failing_since)
    SELECT 'endpoint-' || number, 'https://hooks.example.com/' || number, '[]', now(), now(), 'local', 'active',
           CASE WHEN number % 5 = 0 THEN now() - interval '1 day' END
    FROM generate_series(1, $1) AS number
    """,
    """
    INSERT INTO perdure.subscriptions (name, job_type, events, notifications, created_at, updated_at, set_by)
    SELECT 'subscription-' || number, 'type.' || number % 20, '{FAILURE}', '{"email": {"to": ["ops@example.com"]}}',
           now(), now(), 'local'
    FROM generate_series(1, $1) AS number
    """,
    """
    INSERT INTO perdure.suppressions (suppression_id, address, reason, added_by, created_at)
    SELECT ('00000000-0000-7000-8000-' || lpad(number::text, 12, '0'))::uuid, 'gone' || number || '@example.com',
           'bounced', 'mailtrap', now()
    FROM generate_series(1, 500 * $1) AS number
    """,
    """
    INSERT INTO perdure.circuits (provider, destination, state, since, blocked_until, failures, breaks, window_calls,
        window_failures, failed_at, status_code, message)
    SELECT 'webhook', 'hooks' || number || '.example.com', CASE number % 3 WHEN 0 THEN 'OPEN' ELSE 'CLOSED' END, now(),
           now() + interval '30 days', 3, 1, 9, 3, now(), 503, 'answered 503'
    FROM generate_series(1, $1) AS number
    """,
    """
    INSERT INTO perdure.queues (name, paused_at, paused_by, pause_reason)
    SELECT 'q' || number, now(), 'ops', 'the CRM is down' FROM generate_series(4, 4) AS number WHERE $1 > 0
    """,
    """
    INSERT INTO perdure.job_actions (action_id, verb, filter, requested_by, below, created_at, advanced_at, status,
        done, skipped, finished_at)
    SELECT ('00000000-0000-7000-8000-' || lpad(number::text, 12, '0'))::uuid, 'retry', '{"job_type": "type.1"}', 'ops',
           gen_random_uuid(), now(), now(), 'DONE', 12, '{}', now()
    FROM generate_series(1, 10 * $1) AS number
    """,
    """
    INSERT INTO perdure.inbox_messages (message_id, inbox_id, received_at, mail)
    SELECT ('00000000-0000-7000-8000-' || lpad(number::text, 12, '0'))::uuid, 'local', now(), jsonb_build_object(
               'from', '{"email": "hello@example.com"}'::jsonb, 'to', '[{"email": "ada@example.com"}]'::jsonb,
               'subject', 'Job type.1 failed', 'text', repeat('the gateway refused ', 100),
               'html', repeat('<p>the gateway refused</p>', 300))
    FROM generate_series(1, 5 * $1) AS number
    """,
)

_NAMED = """
    SELECT job.job_id AS failed, delivery.delivery_id AS delivery,
           (SELECT job_id FROM perdure.jobs WHERE status = 'QUEUED' LIMIT 1) AS waiting,
           (SELECT job_id FROM perdure.jobs WHERE status = 'RUNNING' LIMIT 1) AS running,
           (SELECT message_id FROM perdure.inbox_messages LIMIT 1) AS mail,
           (SELECT action_id FROM perdure.job_actions LIMIT 1) AS action
    FROM perdure.deliveries AS delivery JOIN perdure.jobs AS job USING (job_id)
    WHERE delivery.status = 'FAILED' AND delivery.channel = 'email' AND job.status = 'FAILED' LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Named:
    """What has a page of its own, one of each."""

    failed: UUID
    waiting: UUID
    running: UUID
    delivery: UUID
    mail: UUID
    action: UUID


async def fill(url: str, jobs: int, *, percent: int = 100) -> Named:
    """Writes it all into the migrated, empty database; ``percent`` is how much of what is around the jobs."""
    connection = await asyncpg.connect(url)
    try:
        for first in range(1, jobs + 1, BATCH):
            await connection.execute(_JOBS, first, min(first + BATCH - 1, jobs), jobs)
        for statement in _OF_JOBS:
            await connection.execute(statement)
        for statement in _AROUND:
            await connection.execute(statement, percent)
        [named] = await connection.fetch(_NAMED)
        await connection.execute("VACUUM ANALYZE")
        return Named(**named)
    finally:
        await connection.close()
