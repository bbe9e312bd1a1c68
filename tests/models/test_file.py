"""What may be a file's id, name and type."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from perdure.models.file import is_file_name, media_type, possible_file_ids

FILE = "01980000-0000-7000-8000-000000000000"


@given(st.recursive(st.just(FILE) | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_ids_are_found_wherever_they_stand(payload):
    assert possible_file_ids(payload) == ({UUID(FILE)} if FILE in str(payload) else set())


def test_only_our_form_of_an_id_is_one():
    other = [FILE.replace("-", ""), FILE.replace("-7", "-4"), f" {FILE}", f"{FILE}\n", f"{{{FILE}}}", 7, None]
    assert possible_file_ids(other) == set()


def test_names_and_types():
    assert is_file_name("ünï ©.csv")
    assert not any(map(is_file_name, ["", "a/b", "a\\b", "a\x00", "a\n", "x" * 256]))
    assert media_type("Text/CSV; charset=utf-8") == "text/csv"
    assert media_type("<script>") == "application/octet-stream"
