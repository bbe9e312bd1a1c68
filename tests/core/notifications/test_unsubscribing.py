"""The link of a delivery leads to it, and no other link does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.notifications.unsubscribing import PATH, UnsubscribeLinks, list_unsubscribe
from perdure.errors import ConfigurationError

LINKS = UnsubscribeLinks("https://jobs.example.com/", "a-secret-of-the-tests")


@given(st.uuids())
def test_a_link_leads_to_its_delivery_alone(delivery_id):
    base, _, token = LINKS.url(delivery_id).rpartition("/")
    assert f"{base}/" == f"https://jobs.example.com{PATH}"
    assert LINKS.delivery_of(token) == delivery_id
    assert UnsubscribeLinks("https://jobs.example.com", "another-secret-of-them").delivery_of(token) is None
    for place in range(len(token) - 1):  # the last character has bits that no byte needs
        forged = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert LINKS.delivery_of(forged) is None


@given(st.text())
def test_what_we_did_not_make_leads_nowhere(token):
    assert LINKS.delivery_of(token) is None


def test_one_click_is_offered_over_https_alone():
    assert list_unsubscribe("https://a.example/x") == {
        "List-Unsubscribe": "<https://a.example/x>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert list_unsubscribe("http://localhost:8080/x") == {"List-Unsubscribe": "<http://localhost:8080/x>"}
    assert list_unsubscribe(None) == {}


def test_a_secret_that_could_be_guessed_is_refused():
    with pytest.raises(ConfigurationError, match="PERDURE_SECRET") as refused:
        UnsubscribeLinks("https://a.example", "hunter2")
    assert "hunter2" not in str(refused.value)
