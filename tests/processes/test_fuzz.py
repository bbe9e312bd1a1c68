"""Whatever is sent, the server answers what it documents, and never a 500 (schemathesis over the whole description)."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


EXAMPLES = 15
TAKES_LONG = {"/v1/jobs/{job_id}/wait", "/v1/stream"}


@pytest.mark.timeout(300)  # of which a busy machine needs most
def test_every_operation_answers_as_documented(installation):
    installation.work().stop()  # publishes the job types
    description = schemathesis.openapi.from_url(f"{installation.serve().ready['url']}/openapi.json")
    operations = [found.ok() for found in description.get_all_operations()]
    assert len(operations) > 12
    for operation in operations:
        if operation.path not in TAKES_LONG:
            fuzz(operation, GenerationMode.POSITIVE)
            if takes_input(operation):
                fuzz(operation, GenerationMode.NEGATIVE)


def takes_input(operation) -> bool:
    return bool(operation.body or operation.query or operation.path_parameters)


def fuzz(operation, mode: GenerationMode) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        case.call_and_validate(checks=CHECKS)

    check()
