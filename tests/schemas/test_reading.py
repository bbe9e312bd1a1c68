"""What is said of a wrong field: in words for whoever sent it, and without the value."""

import pytest

from perdure.errors import ValidationFailed
from perdure.schemas.reading import read_json
from perdure.schemas.subscription import SubscriptionWrite
from perdure.schemas.webhook_endpoint import RecoverRequest


@pytest.mark.parametrize(
    ("model", "text", "field", "said"),
    [
        (SubscriptionWrite, '{"notifications": {"email": {}}, "when": 1}', "when", "is not known here"),
        (SubscriptionWrite, "{}", "notifications", "must be given"),
        (SubscriptionWrite, '{"notifications": {}}', "notifications", "must have at least 1"),
        (RecoverRequest, '{"since": "yesterday"}', "since", "must be a time such as 2030-01-31T12:00:00Z"),
        (RecoverRequest, '{"since": "2030-13-01"}', "since", "must be a time such as 2030-01-31T12:00:00Z"),
    ],
)
def test_a_wrong_field_is_named_in_plain_words(model, text, field, said):
    with pytest.raises(ValidationFailed) as refused:
        read_json(model, text.encode())
    [problem] = refused.value.problems
    assert (problem.field, problem.message) == (field, said)
