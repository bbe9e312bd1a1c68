import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.core.notifications.providers.base import ChannelOptions
from perdure.core.notifications.providers.email_channel import EmailOptions
from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration, MailtrapEmailProvider
from perdure.core.notifications.providers.registry import BUILTIN, ProviderRegistry
from perdure.errors import ConfigurationError, FieldProblem


@pytest.fixture(scope="module")
def registry() -> ProviderRegistry:
    return ProviderRegistry([MailtrapEmailProvider(MailtrapConfiguration())])


def test_one_provider_a_channel(registry):
    [provider] = registry
    assert registry.channels == ("email",)
    assert registry.for_channel("email") is provider
    assert registry.for_channel("pigeon") is None
    assert registry.options_model("email") is EmailOptions
    assert registry.options_model("pigeon") is None
    with pytest.raises(ConfigurationError, match="email"):
        ProviderRegistry([provider, provider])


def test_every_builtin_provider_has_a_channel_and_its_options():
    options = {provider.channel: provider.options for provider in BUILTIN}
    assert all(provider.options is options[provider.channel] for provider in BUILTIN), "whoever serves it"
    assert all(issubclass(model, ChannelOptions) for model in options.values())


@pytest.mark.parametrize(
    "notifications",
    [
        {},
        {"email": None},
        {"email": {}},
        {"email": {"enabled": None, "on": None}},
        {"email": {"enabled": False}},
        {"email": {"on": []}},
        {"email": {"on": ["SUCCESS", "SUCCESS", "FAILURE", "CANCELLED"]}},
    ],
)
def test_what_may_be_declared(registry, notifications):
    assert registry.validate_declaration(notifications) == []


@pytest.mark.parametrize(
    ("notifications", "fields"),
    [
        ({"pigeon": {}}, ["notifications.pigeon"]),
        ({"pigeon": None}, ["notifications.pigeon"]),
        ({"email": {"enabled": "true"}}, ["notifications.email.enabled"]),
        ({"email": {"enabled": 1}}, ["notifications.email.enabled"]),
        ({"email": {"on": "SUCCESS"}}, ["notifications.email.on"]),
        ({"email": {"on": ["SUCCESS", "success"]}}, ["notifications.email.on[1]"]),
        ({"email": {"on": [None]}}, ["notifications.email.on[0]"]),
        ({"email": {"on": [["SUCCESS"]]}}, ["notifications.email.on[0]"]),
        ({"email": {"enable": True}}, ["notifications.email.enable"]),
        ({"email": []}, ["notifications.email"]),
        ({"email": True}, ["notifications.email"]),
        ({"email": {"on": ["X"], "enabled": 0}, "pigeon": {}}, None),
    ],
)
def test_what_may_not_be_declared_is_named_by_its_place(registry, notifications, fields):
    problems = registry.validate_declaration(notifications)
    found = sorted(problem.field for problem in problems)
    assert found == (fields or ["notifications.email.enabled", "notifications.email.on[0]", "notifications.pigeon"])


def test_an_unknown_channel_is_told_the_known_ones(registry):
    [problem] = registry.validate_declaration({"pigeon": {}})
    assert problem == FieldProblem("notifications.pigeon", "unknown channel; known: email", "unknown_channel")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)  # a busy machine proves nothing
@given(st.dictionaries(st.sampled_from(["email", "pigeon"]), JSON))
def test_any_json_is_judged_without_raising(registry, notifications):
    for problem in registry.validate_declaration(notifications):
        assert problem.field.startswith("notifications.")


@settings(deadline=None)  # a busy machine proves nothing
@given(secret=st.text(alphabet="0123456789abcdef", min_size=12, max_size=20))
def test_no_message_repeats_the_value(registry, secret):
    notifications: dict[str, Any] = {"email": {"enabled": secret, "on": [secret]}}
    problems = registry.validate_declaration(notifications)
    assert len(problems) == 2
    assert all(secret not in problem.message for problem in problems)


def test_a_message_is_in_our_words_alone(registry):
    [problem] = registry.validate_declaration({"email": {"to": ["nobody"]}})
    assert problem.message == "must be a bare e-mail address, such as name@example.com"


def test_a_very_long_name_is_cut(registry):
    declarations: list[dict[str, Any]] = [{"x" * 10_000: {}}, {"email": {"x" * 10_000: 1}}]
    for notifications in declarations:
        [problem] = registry.validate_declaration(notifications)
        assert len(problem.field) < 200


def test_the_description_is_self_contained(registry):
    described = registry.describe()
    assert list(described) == ["email"]
    assert "$ref" not in json.dumps(described)
    assert described["email"]["additionalProperties"] is False
    assert "CANCELLED" in json.dumps(described["email"]["properties"]["on"])
