"""Providers that installed packages bring: found, checked, and joined to our own."""

import sys
from typing import Any

import pytest
from tests.core.notifications.jobs import a_message

from perdure.core.notifications.providers.base import ChannelOptions, Recipients
from perdure.core.notifications.providers.packaged import installed_channels, joined, packaged_providers
from perdure.core.notifications.providers.testing import example_message
from perdure.errors import ConfigurationError
from perdure.models.delivery import Attempt, Verdict
from perdure.models.delivery_policy import DeliveryPolicy

GOOD = """
from tests.core.notifications.providers.test_packaged import Pigeon
class Provider(Pigeon):
    contract = 1
"""


class Pigeon:
    channel = "pigeon"
    options = ChannelOptions
    name = "pigeon"
    policy = DeliveryPolicy(delays_seconds=(1,), max_age_seconds=60, deadline_seconds=1)

    def __init__(self, loft: str | None) -> None:
        self.loft = loft

    @classmethod
    def from_environment(cls, read):
        return cls(read("PIGEON_LOFT"))

    def destination(self, recipient):
        return recipient

    def evaluate(self, job, event):
        return Recipients(("roof",))

    def missing_settings(self):
        return [] if self.loft else ["PIGEON_LOFT"]

    async def send(self, message):
        return Attempt(verdict=Verdict.DELIVERED)

    async def check(self):
        return []

    async def aclose(self):
        pass


class Mail(Pigeon):
    channel = "email"
    name = "mail"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package ``acme-pigeon`` with this source, as an installer would leave it."""

    def installed(source: str, value: str = "acme_pigeon:Provider") -> None:
        (tmp_path / "acme_pigeon.py").write_text(source)
        described = tmp_path / "acme_pigeon-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-pigeon\nVersion: 1.0\n")
        (described / "entry_points.txt").write_text(f"[perdure.providers]\nbird = {value}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "acme_pigeon", raising=False)

    yield installed
    sys.modules.pop("acme_pigeon", None)


def test_an_installed_package_is_found_and_reads_its_own_settings(install):
    assert packaged_providers({}.get) == []
    install(GOOD)
    [provider] = packaged_providers({"PIGEON_LOFT": "attic"}.get)
    assert (provider.name, provider.missing_settings()) == ("pigeon", [])
    assert installed_channels().validate_declaration({"pigeon": {}, "email": {}}) == []


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import a_module_that_is_not_there", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("Other = 1", "AttributeError"),
        ("def Provider(): ...", "no class"),
        ("class Provider: ...", "contract = 1"),
        ("class Provider:\n    contract = 2", "version 2"),
        ("class Provider:\n    contract = 1", "name, policy"),
        (GOOD + "    channel = 'Two Words'", "channel"),
        (GOOD + "    options = dict", "ChannelOptions"),
        (GOOD + "    from_environment = classmethod(lambda cls, read: {}['canary'])", "KeyError"),
    ],
)
def test_a_broken_package_is_named_with_what_is_wrong(install, source, told):
    install(source)
    with pytest.raises(ConfigurationError, match="acme-pigeon") as raised:
        packaged_providers({}.get)
    assert told in raised.value.detail
    assert "canary" not in raised.value.detail


def test_what_a_package_says_of_its_own_settings_is_passed_on(install):
    refuse = "\n    @classmethod\n    def from_environment(cls, read):\n        raise E('PIGEON_LOFT is no loft.')"
    install("from perdure.errors import ConfigurationError as E" + GOOD + refuse)
    with pytest.raises(ConfigurationError, match=r"^PIGEON_LOFT is no loft\.$"):
        packaged_providers({}.get)


def test_a_package_takes_the_place_of_a_built_in_provider_once_it_is_configured():
    builtin, further = Mail("attic"), Pigeon(None)
    assert joined([builtin], [Mail(None), further]) == [builtin, further]
    packaged = Mail("attic")
    assert joined([builtin], [packaged]) == [packaged]


def test_two_packages_of_one_channel_are_refused():
    with pytest.raises(ConfigurationError, match="Uninstall one"):
        joined([], [Pigeon("a"), Pigeon("b")])


def test_the_example_is_a_message_as_providers_are_given_it():
    example, real = example_message("roof"), a_message()
    assert vars_of(example).keys() == vars_of(real).keys()
    assert example.snapshot.keys() == real.snapshot.keys()


def vars_of(message: Any) -> dict[str, Any]:
    return {name: getattr(message, name) for name in type(message).__slots__}
