"""Jobs that are read together are what each of them is by itself, whatever was sent with them."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from perdure.errors import InvalidInput, MalformedJSON, ValidationFailed
from perdure.schemas.alike import AlikeReader
from perdure.schemas.job import JobCreate
from perdure.schemas.reading import read_json
from perdure.schemas.strict_json import MAX_DEPTH, MAX_SAFE_INTEGER


def nested(depth):
    return b"[" * depth + b"]" * depth


PAYLOADS = [
    *(
        b'{"n":1}',
        b'{"n": 1, "m": [1, 2]}',
        b'{"n":"a, b"}',
        b'{"n": "a: b"}',
        b'{"n":"a,b"}',
        b"{}",
        b"null",
        b"[]",
        b" 1",
    ),
    *(b'{"n":1,"n":2}', b'{"":1,"":1}', b'{"n":{"m":1,"m":1}}', b"1,2", b"[1", b"2]", b"", b'"', b"1}", b"{", b"\xff"),
    *(b"NaN", b"1e400", b"1e300", b"1E2", b"1.50", b"-0", b"0.1234567890123456789", b"12345678901234567890"),
    *(str(MAX_SAFE_INTEGER).encode(), str(MAX_SAFE_INTEGER + 1).encode(), b'{"n":-9007199254740992}'),
    *(
        b'"\\u0000"',
        b'"\\ud800"',
        b'"\\u00e9"',
        '"\xe9"'.encode(),
        b'"a\\"b"',
        b'"\\n"',
        b'"\n"',
        b"[1,\n2]",
        b'"payload"',
    ),
    *(nested(MAX_DEPTH - 1), nested(MAX_DEPTH), nested(300), nested(2_000), b"[" + b"[]," * 40 + b"[]]", b'"\x00"'),
    *(b" 1", b'"payload"'),
    *(b'{"n":1},"queue":"q"', b'{"payload":1}', b'{"n":1},"payload":{"n":2}', b'null,"tags":["a"]', b'{"queue": 1}'),
]
AROUND = [
    (b'{"job_type":"a","payload":', b"}"),
    (b'{"job_type": "a", "payload": ', b"}"),
    (b' { "payload" : ', b' , "job_type" : "b" , "queue" : "q" } '),
    (b'{"payload":', b',"job_type":"c","context":{"payload":{"email":"ada@example.com"}}}'),
    (b'{"job_type":"a","context":{"payload":1},"payload":', b',"queue":"q"}'),
    (b'{"job_type":"a","payload":', b',"queue":"q"}'),
    (b'{"job_type":"a","unique_key":"k","payload":', b"}"),
    (b'{"job_type":"a","tags":["t"],"payload":', b"}"),
    (b'{"job_type":"a","job_type":"b","payload":', b"}"),
    (b'{"job_type":"a","priority":1000,"payload":', b"}"),
    (b'{"job_type":"a","unheard":', b"}"),
    (b"", b""),
]
TEXTS = st.tuples(st.sampled_from(AROUND), st.sampled_from(PAYLOADS)).map(
    lambda parts: parts[0][0] + parts[1] + parts[0][1]
)
TOO_LARGE = MalformedJSON("too large")


def told(reader, records):
    """What each of the records says."""
    group = reader.read(records)
    said = dict(group.others)
    for alike in group.alike:
        said |= {place: alike.as_sent(number) for number, place in enumerate(alike.places)}
        assert [json.loads(text) for text in alike.written] == alike.payloads
    assert sorted(said) == list(range(group.length)) == list(range(len(records)))
    return [plain(said[place]) for place in range(group.length)]


def alone(record):
    try:
        return plain(record if isinstance(record, InvalidInput) else read_json(JobCreate, record))
    except InvalidInput as error:
        return plain(error)


def plain(one):
    """What can be compared: numbers by how they are written."""
    if isinstance(one, JobCreate):
        return repr(one), sorted(one.model_fields_set)
    return type(one), one.detail, one.extensions()


@given(st.lists(st.lists(TEXTS | st.just(TOO_LARGE), max_size=12), max_size=4))
@example([[b'{"job_type":"a","payload":%s}' % payload for payload in (b"1", b"[1", b"2]", b"3,4")]])
@example(
    [
        [
            b'{"job_type":"a","payload":%s}' % payload
            for payload in (b"1", b'{"n": "a: b"}', b"[1", b"2]", b'{"n":"a:b"},4')
        ]
    ]
)
@settings(max_examples=300)
def test_what_is_read_together_is_what_is_read_alone(groups):
    reader = AlikeReader()
    for records in groups:
        assert told(reader, records) == [alone(record) for record in records]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("around", AROUND[:6])
def test_each_payload_among_plain_ones(around, payload):
    before, after = around
    records = [before + one + after for one in (b'{"n":1}', b'{"n":2}', payload, b'{"n":3}', payload)]
    assert told(AlikeReader(), records) == [alone(record) for record in records]


@pytest.mark.parametrize("around", AROUND[:4])
def test_what_is_plain_is_read_together(around):
    before, after = around
    group = AlikeReader().read([b'%s{"n":%d}%s' % (before, number, after) for number in range(50)])
    [alike] = group.alike
    assert (alike.places, list(group.others)) == (list(range(1, 50)), [0])


def test_forms_are_looked_for_only_while_that_pays():
    """Where each text has a form of its own, nothing is gained by learning it."""
    reader = AlikeReader()
    group = reader.read([b'{"job_type":"a%d","payload":{"n":1}}' % number for number in range(100)])
    assert (group.alike, len(group.others)) == ([], 100)
    assert len(reader._forms) == 4
    reader.read([b'{"job_type":"a3","payload":{"n":1}}'] * 100)
    assert reader.read([b'{"job_type":"b","payload":{"n":1}}'] * 100).alike[0].places == list(range(1, 100))


def test_errors_name_their_fields():
    group = AlikeReader().read(
        [b'{"job_type":"a","payload":1}', b'{"job_type":"a","payload":{"n":NaN}}', b'{"payload":1}']
    )
    assert group.others[1].detail == "payload.n is NaN, which is no JSON number; send null or a string."
    assert isinstance(group.others[2], ValidationFailed)
