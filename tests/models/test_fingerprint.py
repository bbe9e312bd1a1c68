"""Failures that are the same have one fingerprint, and others have others."""

import pytest

from perdure.models.fingerprint import LENGTH, fingerprint


def of(message="no", places=(), *, job_type="t", reason="retries_exhausted", error_type="ValueError"):
    return fingerprint(job_type, reason, error_type, message, places)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("line 17 has 5 columns", "line 4 has 12 columns"),
        ("no file 'a.csv' in \"b\"", "no file 'c d.csv' in \"\""),
        ("job 01990d5e-5d0c-7c5e-b3f0-5c1a2b3c4d5e is gone", "job 01990d5e-ffff-7c5e-b3f0-000000000000 is gone"),
        ("<thing at 0x7f001c>", "<thing at 0x7f1abc>"),
        ("etag d41d8cd98f00b204e9800998ecf8427e differs", "etag 900150983cd24fb0d6963f7d28e17f72 differs"),
    ],
)
def test_what_differs_from_case_to_case_does_not_count(one, other):
    assert of(one) == of(other)
    assert len(of(one)) == LENGTH


def test_where_there_is_a_place_it_counts_and_not_the_message():
    assert of("a", ["m:f", "m:g"]) == of("b", ["m:f", "m:g"])
    assert of("a", ["m:f", "m:g", "m:g", "m:g"]) == of("a", ["m:f", "m:g"]), "however deep it recursed"
    assert of("a", ["m:f", "m:g"]) != of("a", ["m:f", "m:h"])


def test_each_part_tells_failures_apart():
    different = [
        of(),
        of("yes"),
        of(job_type="u"),
        of(reason="timed_out"),
        of(error_type="KeyError"),
        of(places=["m:f"]),
        of("accede to defaced facade"),
    ]
    assert len(set(different)) == len(different)
