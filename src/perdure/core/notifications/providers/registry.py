"""Which provider serves which channel, and what a job may declare for it.

The one place that knows all channels. A declaration is checked here at submission, by the model of the channel's
provider; nothing else in the house knows a channel by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from perdure.core.notifications.allowed_recipients import EVERYBODY, AllowedRecipients
from perdure.core.notifications.providers.base import ChannelOptions, Provider
from perdure.core.notifications.providers.mailtrap import MailtrapEmailProvider
from perdure.core.notifications.providers.slack import SlackProvider
from perdure.core.notifications.providers.smtp import SmtpEmailProvider
from perdure.core.notifications.providers.webhook import WebhookProvider
from perdure.errors import ConfigurationError, FieldProblem

BUILTIN: tuple[type[Provider], ...] = (MailtrapEmailProvider, SmtpEmailProvider, SlackProvider, WebhookProvider)
"""The providers that come with the platform; ``provided`` constructs those that the settings ask for."""

_SHOWN_NAME = 100


class Channels:
    """The options of each channel, and what a job may declare for them."""

    def __init__(self, options: Mapping[str, type[ChannelOptions]]) -> None:
        self._options = dict(options)

    def options_model(self, channel: str) -> type[ChannelOptions] | None:
        return self._options.get(channel)

    def validate_declaration(self, notifications: Mapping[str, Any]) -> list[FieldProblem]:
        """What is wrong with a job's ``notifications``, without repeating a value; null is as good as absent."""
        problems = []
        for channel, declared in notifications.items():
            model = self.options_model(channel)
            if model is None:
                problems.append(self._unknown(channel))
            elif declared is not None:
                problems.extend(_problems(channel, model, declared))
        return problems

    def describe(self) -> dict[str, dict[str, Any]]:
        """The JSON Schema of each channel's options, self-contained (no ``$ref``), for the OpenAPI document."""
        return {channel: _self_contained(model) for channel, model in self._options.items()}

    def _unknown(self, channel: str) -> FieldProblem:
        return FieldProblem(
            field=f"notifications.{channel[:_SHOWN_NAME]}",
            message=f"unknown channel; known: {', '.join(self._options) or 'none'}",
            code="unknown_channel",
        )


BUILTIN_CHANNELS = Channels({provider.channel: provider.options for provider in BUILTIN})


class ProviderRegistry(Channels):
    """The providers of this process, one a channel, in the order given, and whom they may reach.

    Whoever sends asks ``allowed`` first, and only then the provider.
    """

    def __init__(self, providers: Iterable[Provider], allowed: AllowedRecipients = EVERYBODY) -> None:
        self.allowed = allowed
        self._providers: dict[str, Provider] = {}
        for provider in providers:
            if provider.channel in self._providers:
                raise ConfigurationError(f"Two providers serve the channel {provider.channel}; configure one of them.")
            self._providers[provider.channel] = provider
        super().__init__({channel: provider.options for channel, provider in self._providers.items()})

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._providers.values())

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(self._providers)

    def for_channel(self, channel: str) -> Provider | None:
        return self._providers.get(channel)

    async def aclose(self) -> None:
        for provider in self._providers.values():
            await provider.aclose()


def _problems(channel: str, model: type[ChannelOptions], declared: Any) -> list[FieldProblem]:
    try:
        model.model_validate(declared)
    except ValidationError as error:
        return [
            FieldProblem(
                field=f"notifications.{channel}{_path(problem['loc'])}",
                message=problem["msg"].removeprefix("Value error, "),
                code=problem["type"],
            )
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    return []


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part[:_SHOWN_NAME]}" for part in location)


def _self_contained(model: type[ChannelOptions]) -> dict[str, Any]:
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolved(definitions[node["$ref"].rpartition("/")[2]])
        return {key: resolved(value) for key, value in node.items()}

    return {key: resolved(value) for key, value in schema.items()}
