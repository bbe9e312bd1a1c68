"""The job types of Acme. What stands here is registered."""

from acme_jobs.orders import summarize
from acme_jobs.reports import fetch

__all__ = ["fetch", "summarize"]
