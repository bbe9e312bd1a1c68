import hashlib
import tempfile

import pytest
from pydantic import ValidationError

from perdure.processors import json as module
from perdure.processors.base import NotRetryable
from perdure.processors.json import canonicalize_json
from perdure.processors.stopping import Interrupted


@pytest.fixture
def canonical(context):
    """Runs the processor over a file; returns its result and the bytes of the file it made."""

    def run(content, **request):
        (context.folder / "x").write_bytes(content if isinstance(content, bytes) else content.encode())
        payload = canonicalize_json.payload_type.validate_python({"file": "x", **request})
        result = canonicalize_json.function(payload, context)
        return result, (context.folder / result.file).read_bytes()

    return run


def test_a_document_becomes_its_canonical_form(canonical, context):
    result, form = canonical('\ufeff{"b": 1.0,\n "a": "\\u00fc"}\n')
    assert form == '{"a":"ü","b":1}'.encode()
    assert result.model_dump(exclude={"file"}) == {
        "documents": 1,
        "size_bytes": len(form),
        "sha256": hashlib.sha256(form).hexdigest(),
    }
    assert context.content_types == {"canonical.json": "application/json"}
    assert context.told[-1] == (100, "done")


@pytest.mark.parametrize("lines", [True, None])
def test_lines_are_documents(canonical, context, lines):
    result, form = canonical('{"b": 1, "a": 2}\r\n\n[1.0]\n"x"', lines=lines)
    assert form == b'{"a":2,"b":1}\n[1]\n"x"\n'
    assert (result.documents, result.sha256) == (3, hashlib.sha256(form).hexdigest())
    assert context.content_types == {"canonical.ndjson": "application/x-ndjson"}


@pytest.mark.parametrize(
    ("content", "lines", "name"),
    [
        ("[1,\n2]\n", None, "canonical.json"),
        ("[1]\n\n", None, "canonical.json"),
        ("[1]\n", True, "canonical.ndjson"),
        ("\n[1]\n[2]", None, "canonical.ndjson"),
    ],
)
def test_whether_there_are_lines_is_seen_or_said(canonical, content, lines, name):
    assert canonical(content, lines=lines)[0].file == name


@pytest.mark.parametrize(
    ("content", "lines", "said"),
    [
        ('{"a": 1,\n "é": 2, "é": 3}', None, r"twice.*\(line 2, column 10\)"),
        ('\ufeff{"a": NaN}', None, r"NaN.*\(line 1, column 7\)"),
        ("[1]\n[2]\n[3\n[4]\n", None, r"ends where|comma.*\(line 3, column 3"),
        ("[1]\n[2]\n[1e999]\n", None, r"too large.*\(line 3, column 2\)"),
        ("[1]\n[2]", False, r"follows.*\(line 2, column 1\)"),
        ("", None, r"ends where.*\(line 1, column 1\)"),
        ("[1,\n2]", True, r"\(line 1, column"),
    ],
)
def test_a_flaw_is_not_retried_and_its_place_is_said(canonical, content, lines, said):
    with pytest.raises(NotRetryable, match=said):
        canonical(content, lines=lines)


def test_what_is_wrong_is_never_repeated(canonical):
    with pytest.raises(NotRetryable) as caught:
        canonical('{"card": 4111111111111111111, "secret-name": 1, "secret-name": 2}')
    assert "4111" not in str(caught.value)
    with pytest.raises(NotRetryable) as caught:
        canonical('{"secret-name": 1, "secret-name": 2}')
    assert "secret" not in str(caught.value)


def test_a_document_has_its_limit_and_many_lines_have_not(canonical, monkeypatch):
    monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", 10)
    with pytest.raises(NotRetryable, match=r"larger than 10 bytes.*lines: true"):
        canonical("[1,2,3,4,5]")
    assert canonical("[1]\n" * 10)[0].documents == 10
    with pytest.raises(NotRetryable, match="Line 2 is longer than 10 bytes"):
        canonical("[1]\n[1,2,3,4,5]\n")


def test_a_cancelled_job_leaves_neither_scratch_nor_output(context, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (context.folder / "x").write_text('{"a": 1}\n' * 100_000)
    progress = context.progress

    def stop(percent, message=None):
        progress(percent, message)
        context.cancelled = percent > 0

    context.progress = stop
    with pytest.raises(Interrupted):
        canonicalize_json.function(canonicalize_json.payload_type.validate_python({"file": "x"}), context)
    assert 0 < context.told[-1][0] < 60
    assert list(tmp_path.iterdir()) == [context.folder / "x"]


@pytest.mark.parametrize("request_", [{}, {"file": "x", "lines": "perhaps"}, {"file": "x", "line": True}])
def test_a_request_is_checked(request_):
    with pytest.raises(ValidationError):
        canonicalize_json.payload_type.validate_python(request_)
