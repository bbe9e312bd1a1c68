"""The settings: one frozen object, read once, at the start.

Precedence: flags, then the environment, then ``.env`` in the working directory, then the defaults below. Ours begin
with ``PERDURE_``; the notification providers keep the names their users know. Any of them can be read from a file:
``MAILTRAP_API_KEY_FILE=/run/secrets/key`` stands for ``MAILTRAP_API_KEY``.

Read by the command line, the application, the bootstrap and its foundation alone; every other part is handed its
values.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from dotenv import dotenv_values
from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from perdure.errors import ConfigurationError
from perdure.models.delivery_policy import Rate


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _blank_is_unset(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _rate(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        return _blank_is_unset(value)
    calls, slash, seconds = value.partition("/")
    if not slash or not calls.strip().isdecimal():
        raise ValueError("must be a number and seconds, such as 150/10")
    return Rate(int(calls), float(seconds))


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Numbers = Annotated[tuple[float, ...], NoDecode, BeforeValidator(_split)]
OptionalRate = Annotated[Rate | None, BeforeValidator(_rate)]
OptionalText = Annotated[str | None, BeforeValidator(_blank_is_unset)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(_blank_is_unset)]
OptionalPath = Annotated[Path | None, BeforeValidator(_blank_is_unset)]
OptionalPort = Annotated[int | None, Field(ge=0, le=65535), BeforeValidator(_blank_is_unset)]
Days = Annotated[float, Field(ge=0, le=36_500, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Every setting, with its default; seconds are seconds, sizes bytes."""

    model_config = SettingsConfigDict(env_prefix="PERDURE_", frozen=True, extra="ignore", populate_by_name=True)

    host: str = Field("127.0.0.1", description="address the server listens on")
    port: int = Field(8080, ge=0, le=65535, description="port the server listens on; 0 takes a free one")
    data_dir: Path = Field(Path(".perdure"), description="where the embedded database and files lie")
    database_url: OptionalSecret = Field(
        None,
        validation_alias=AliasChoices("PERDURE_DATABASE_URL", "DATABASE_URL"),
        description="a PostgreSQL server (15 or newer); none: one is started in the data directory",
    )
    database_pool_size: int = Field(5, ge=2, le=100, description="connections to the database per process")
    public_url: OptionalText = Field(None, description="how people reach the server; links in mails begin with it")
    secret: OptionalSecret = Field(
        None,
        description="signs the links by which recipients unsubscribe; 16 characters or more, and the same everywhere",
    )
    bootstrap_key: OptionalSecret = Field(
        None, description="made the first admin key if no key was ever made; `perdure keys generate` prints one"
    )
    max_body_bytes: int = Field(1_048_576, gt=0, description="largest JSON body accepted")

    metrics_port: OptionalPort = Field(
        None, description="port where a worker serves /metrics and health; none: it serves nothing"
    )

    processors: Names = Field((), description="modules with processors to import, comma separated")
    queues: Names = Field((), description="queues that workers serve, comma separated; none: all")
    concurrency: int = Field(10, ge=1, le=1000, description="attempts that one worker process runs at a time")
    worker_processes: int = Field(1, ge=1, le=64, description="worker processes that `perdure worker` starts")
    lease_seconds: Positive = Field(30.0, description="how long a silent worker keeps its jobs")
    drain_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        20.0, description="how long running attempts may take to finish when a worker is stopped"
    )
    run_notifier: bool = Field(True, description="send notifications from this process")
    run_promoter: bool = Field(True, description="make due jobs ready from this process")
    run_sweeper: bool = Field(
        True,
        description="rescue lost workers' jobs, fail expired ones and remove deleted files' bytes from this process",
    )
    run_actions: bool = Field(True, description="carry out actions on many jobs from this process")
    run_scheduler: bool = Field(True, description="submit the jobs of schedules from this process")
    run_pruner: bool = Field(True, description="remove what is old from this process")
    retention_days: Days = Field(
        30.0, description="how long a finished job is kept if it told nobody; 0: everything is kept for ever"
    )
    audit_retention_days: Days = Field(
        90.0, description="how long a delivery, and its job with it, is kept at least; 0: for ever"
    )

    log_format: Annotated[str, Field(pattern="^(auto|console|json)$")] = Field(
        "auto", description="console, json, or auto: console on a terminal"
    )
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = Field(
        "info", description="least severity that is logged: debug, info, warning or error"
    )

    allowed_recipients: Names = Field(
        (),
        description="whom notifications may reach, comma separated: addresses, @domains, hosts; none: everybody",
    )
    templates_dir: OptionalPath = Field(
        None, description="folder with message templates of your own, which go before the built-in ones"
    )
    email_retry_seconds: Numbers = Field(
        (30, 120, 600, 1800, 7200), description="waits between the tries of a mail, comma separated"
    )
    email_rate: OptionalRate = Field(
        None,
        description="mails at most, as 150/10 for 150 in any 10 seconds; none: Mailtrap's own, with SMTP any number",
    )
    mailtrap_api_key: OptionalSecret = Field(
        None, validation_alias="MAILTRAP_API_KEY", description="API token of your Mailtrap account"
    )
    mailtrap_use_sandbox: bool = Field(
        True, validation_alias="MAILTRAP_USE_SANDBOX", description="true: mails go to the Email Testing inbox only"
    )
    mailtrap_inbox_id: OptionalText = Field(
        None, validation_alias="MAILTRAP_INBOX_ID", description="the Email Testing inbox; needed with the sandbox"
    )
    mailtrap_account_id: OptionalText = Field(
        None,
        validation_alias="MAILTRAP_ACCOUNT_ID",
        description="the account's number: with it Mailtrap is asked what came of a mail it did not answer for",
    )
    mailtrap_api_host: OptionalText = Field(
        None,
        validation_alias="MAILTRAP_API_HOST",
        description="a host, host:port or URL that replaces Mailtrap's own, for a local stand-in",
    )
    mailtrap_webhook_secret: OptionalSecret = Field(
        None,
        validation_alias="MAILTRAP_WEBHOOK_SECRET",
        description="the signing secrets of Mailtrap's webhooks, comma separated, where the server runs",
    )
    smtp_url: OptionalSecret = Field(
        None,
        validation_alias="SMTP_URL",
        description="a mail server that sends instead of Mailtrap: smtp://user:password@host:587, or smtps://…",
    )
    mail_from_email: str = Field("hello@demomailtrap.co", validation_alias="MAIL_FROM_EMAIL", description="the sender")
    mail_from_name: str = Field(
        "Resilient Job Platform", validation_alias="MAIL_FROM_NAME", description="the sender's name"
    )

    slack_retry_seconds: Numbers = Field(
        (5, 30, 120, 600), description="waits between the tries of a message to Slack, comma separated"
    )
    slack_webhook_url: OptionalSecret = Field(
        None,
        validation_alias="SLACK_WEBHOOK_URL",
        description="the incoming webhook whose Slack channel is told (https://hooks.slack.com/services/…)",
    )

    webhook_signing_secret: OptionalSecret = Field(
        None,
        validation_alias="WEBHOOK_SIGNING_SECRET",
        description="signs webhooks: whsec_ and base64; several, comma separated, while you rotate it",
    )
    webhook_allow_cidrs: Names = Field(
        (),
        validation_alias="WEBHOOK_ALLOW_CIDRS",
        description="networks inside that webhooks and `http.request` may reach, comma separated; none: none",
    )
    webhook_retry_seconds: Numbers = Field(
        (5, 300, 1800, 7200, 18_000, 36_000, 36_000),
        description="waits between the tries of a webhook, comma separated",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del (
            settings_cls,
            env_settings,
            dotenv_settings,
            file_secret_settings,
        )  # `read` merges these, with the *_FILE variables
        return (init_settings,)

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None, **flags: Any) -> Settings:
        """The settings of this process; ``flags`` that are None leave the choice to the environment."""
        given = {name: value for name, value in flags.items() if value is not None}
        found = Environment(environment)
        for name in cls.model_fields.keys() - given.keys():
            value = next(filter(None, map(found.get, variables(name))), None)
            if value is not None:
                given[name] = value
        try:
            return cls(**given)
        except ValidationError as error:
            raise ConfigurationError(_explain(error)) from None


def variables(field: str) -> tuple[str, ...]:
    """The environment variables that set ``field``, the first before the others."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices)
    return (str(alias),) if alias is not None else (f"PERDURE_{field.upper()}",)


class Environment:
    """The variables that are set, the process's before those of ``.env``; empty is unset."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        dotenv = {name: value for name, value in dotenv_values(".env").items() if value is not None}
        merged = dotenv | dict(os.environ if variables is None else variables)
        self._set = {name: value for name, value in merged.items() if value.strip()}

    def get(self, name: str) -> str | None:
        """The variable, or what is in the file that ``NAME_FILE`` names; raises ``ConfigurationError`` without it."""
        path = self._set.get(f"{name}_FILE")
        if name in self._set or path is None:
            return self._set.get(name)
        return _read_secret(f"{name}_FILE", path)


def _read_secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{name} names a file that cannot be read ({type(error).__name__}).") from None


def _explain(error: ValidationError) -> str:
    """One line a setting, without its value: it may be a secret."""
    lines = []
    for one in error.errors(include_input=False, include_url=False):
        name = str(one["loc"][0])
        variable = variables(name)[0] if name in Settings.model_fields else name
        lines.append(f"{variable}: {one['msg']}")
    return "These settings cannot be used: " + "; ".join(lines)
