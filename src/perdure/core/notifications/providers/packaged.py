"""Providers of installed packages: found by their entry points, checked against the contract, joined to our own.

A package that cannot be used is said when the process starts, and by the doctor: a channel that is quietly missing
would be noticed by nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import ClassVar, Protocol

from perdure.core.notifications.providers.base import CONTRACT, ChannelOptions, Provider
from perdure.core.notifications.providers.registry import BUILTIN, Channels
from perdure.errors import ConfigurationError

ENTRY_POINT_GROUP = "perdure.providers"
"""Packages name their provider's class under this entry point group."""
CHANNEL_PATTERN = r"[a-z][a-z0-9_-]{0,39}"

ReadVariable = Callable[[str], str | None]
"""Gives an environment variable, also one of ``.env``, or one whose value is in the file that ``NAME_FILE`` names."""

_MEMBERS = ("name", "policy", "destination", "evaluate", "missing_settings", "send", "check", "aclose")


class PackagedProvider(Provider, Protocol):
    """What a package's class has beyond the ``Provider``: it says what it was written for, and makes itself."""

    contract: ClassVar[int]
    """The version of the contract that it keeps."""

    @classmethod
    def from_environment(cls, read: ReadVariable) -> Provider:
        """The provider with the settings that it reads, each variable beginning with a prefix of its own.

        What is not set yet is for ``missing_settings`` to say; what can never work raises ``ConfigurationError``.
        """
        ...


def packaged_providers(read: ReadVariable) -> list[Provider]:
    """A provider of every installed package that brings one. Raises ``ConfigurationError`` for one that is broken."""
    return [_made(point, read) for point in _points()]


def installed_channels() -> Channels:
    """What jobs may declare here: the built-in channels, and those that packages add."""
    packaged = (_loaded(point) for point in _points())
    return Channels({provider.channel: provider.options for provider in (*packaged, *BUILTIN)})


def joined(builtin: Iterable[Provider], packaged: Iterable[Provider]) -> list[Provider]:
    """One provider a channel: a package's takes the place of a built-in one as soon as its settings are there."""
    own = {provider.channel: provider for provider in builtin}
    taken: dict[str, Provider] = {}
    for provider in packaged:
        if provider.channel in own and provider.missing_settings():
            continue
        if provider.channel in taken:
            raise ConfigurationError(
                f"Two packages serve the channel {provider.channel}: {taken[provider.channel].name} and "
                f"{provider.name}. Uninstall one of them."
            )
        taken[provider.channel] = provider
    return list((own | taken).values())


def _points() -> list[EntryPoint]:
    return sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)


def _loaded(point: EntryPoint) -> type[PackagedProvider]:
    try:
        found = point.load()
    except (Exception, SystemExit) as error:
        raise _broken(point, f"it cannot be imported ({type(error).__name__}: {_first_line(error)})") from error
    contract = getattr(found, "contract", None)
    if not isinstance(found, type) or contract is None:
        raise _broken(point, f"{point.value} is no class that says `contract = {CONTRACT}`")
    if contract != CONTRACT:
        raise _broken(point, f"it keeps version {contract} of the contract, and this Perdure has {CONTRACT}")
    if missing := [name for name in (*_MEMBERS, "from_environment") if not hasattr(found, name)]:
        raise _broken(point, f"it lacks {', '.join(missing)}")
    channel, options = getattr(found, "channel", None), getattr(found, "options", None)
    if not isinstance(channel, str) or not re.fullmatch(CHANNEL_PATTERN, channel):
        raise _broken(point, "its channel must be a short lower-case word")
    if not isinstance(options, type) or not issubclass(options, ChannelOptions):
        raise _broken(point, "its options must be a subclass of ChannelOptions")
    return found


def _made(point: EntryPoint, read: ReadVariable) -> Provider:
    made = _loaded(point)
    try:
        return made.from_environment(read)
    except ConfigurationError:
        raise
    except Exception as error:
        # Its words are not repeated: they may hold a setting, and that a secret.
        raise _broken(point, f"it cannot be made from its settings ({type(error).__name__})") from error


def _broken(point: EntryPoint, why: str) -> ConfigurationError:
    package = point.dist.name if point.dist is not None else "an unknown package"
    return ConfigurationError(
        f"The provider {point.name!r} of {package} cannot be used: {why}. Mend or uninstall the package."
    )


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "no reason given").rstrip(". ")
