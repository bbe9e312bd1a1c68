"""The pages, a module each. Whoever adds one names its router here."""

from __future__ import annotations

from perdure.dashboard.pages import (
    changes,
    delivery,
    endpoints,
    inbox,
    job,
    job_actions,
    job_types,
    jobs,
    notifications,
    overview,
    preferences,
    providers,
    queues,
    resending,
    schedules,
    session,
    static_files,
    subscriptions,
    suppressions,
    uploads,
    workers,
)

ROUTERS = (
    static_files.router,
    session.router,
    preferences.router,
    changes.router,
    overview.router,
    job_actions.router,
    jobs.router,
    job.router,
    queues.router,
    schedules.router,
    job_types.router,
    uploads.router,
    workers.router,
    notifications.router,
    resending.router,
    providers.router,
    suppressions.router,
    endpoints.router,
    subscriptions.router,
    delivery.router,
)
"""In this order: a delivery's id is none of the names of the pages beside it."""
OF_INBOX = (inbox.router,)
"""Where there is a local inbox."""
