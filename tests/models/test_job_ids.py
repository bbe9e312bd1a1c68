from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from perdure.models.job_ids import JobIds


@pytest.mark.parametrize("first", [uuid7(), UUID("01a22e4e-a4a8-702b-ac77-ffffffffffff")], ids=["any", "the last"])
def test_ids_are_different_and_in_order_and_of_version_7(first):
    ids = JobIds(first, 1_000)
    assert list(ids) == sorted(set(ids))
    assert len(ids) == 1_000
    assert {(one.version, one.variant) for one in ids} == {(7, first.variant)}
    assert [UUID(bytes=one) for one in ids.as_bytes()] == list(ids) == [UUID(one) for one in ids.as_text()]


def test_some_of_them_keep_their_ids():
    ids = JobIds(uuid7(), 10)
    assert list(ids.only([3, 5])) == [ids[3], ids[5]]
    assert list(ids[2:4]) == [ids[2], ids[3]]
    assert ids[-1] == ids[9]
    with pytest.raises(IndexError):
        ids[10]


def test_batches_follow_one_another():
    first, second = JobIds(uuid7(), 2_000), JobIds(uuid7(), 2_000)
    assert first[-1] < second[0]
