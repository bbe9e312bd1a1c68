"""The page of the job types that are built in."""

from __future__ import annotations

from documentation.markdown import page, prose
from documentation.reference.objects import objects_of
from perdure.processors.base import Processor
from perdure.processors.registry import ProcessorRegistry

_INTRODUCTION = """
What every worker can do. `GET /v1/job-types` answers the same with JSON Schemas, and with the types that your own
workers published: [how to write one](../how-to/write-a-processor.md).
"""


def render() -> str:
    registry = ProcessorRegistry.load(())
    return page("Job types", _INTRODUCTION, *(_job_type(one) for one in sorted(registry, key=lambda one: one.job_type)))


def _job_type(processor: Processor) -> str:
    if not processor.description:
        raise LookupError(f"The processor of {processor.job_type} has no docstring")
    limits = (
        f"An attempt may take {processor.timeout_seconds:g} s; {processor.max_retries} further attempts, the first "
        f"after {processor.retry.base_seconds:g} s, then doubling up to {processor.retry.max_seconds:g} s."
    )
    payload = objects_of(processor.payload_type.json_schema())
    result = objects_of(processor.result_type.json_schema(mode="serialization"))
    return "\n\n".join(
        [f"## {processor.job_type}", prose(processor.description), limits]
        + (["**Payload**", *payload] if payload else [])
        + (["**Result**", *result] if result else [])
    )
