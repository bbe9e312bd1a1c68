"""The notification providers that the settings ask for, constructed: whoever adds a provider joins it here.

Those of installed packages come along by themselves, each with settings of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import SecretStr

from perdure.core.notifications.allowed_recipients import AllowedRecipients
from perdure.core.notifications.endpoints import NO_ENDPOINTS, Endpoints
from perdure.core.notifications.providers.base import Provider
from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration, MailtrapEmailProvider
from perdure.core.notifications.providers.mailtrap_feedback import MailtrapFeedback
from perdure.core.notifications.providers.packaged import joined, packaged_providers
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.providers.slack import SlackConfiguration, SlackProvider
from perdure.core.notifications.providers.smtp import SmtpConfiguration, SmtpEmailProvider
from perdure.core.notifications.providers.webhook import WebhookConfiguration, WebhookProvider
from perdure.core.notifications.unsubscribing import UnsubscribeLinks
from perdure.settings import Environment, Settings

LOCAL_INBOX_ID = "local"
LOCAL_INBOX_KEY = "local-inbox"


@dataclass(frozen=True, slots=True)
class LocalInbox:
    """Where this process's own stand-in for Mailtrap's sandbox listens, e.g. ``http://127.0.0.1:8080``."""

    url: str


def uses_local_inbox(settings: Settings) -> bool:
    """Whether mails go to the local inbox where there is one: only when the user named nothing of their own."""
    return settings.mailtrap_api_key is None and settings.mailtrap_api_host is None and settings.smtp_url is None


def provided(
    settings: Settings, local_inbox: LocalInbox | None, endpoints: Endpoints = NO_ENDPOINTS
) -> ProviderRegistry:
    """One provider for each channel, and whom they may reach.

    ``endpoints`` says where the names of webhook endpoints lead.
    """
    builtin: list[Provider] = [_email(settings, local_inbox), _slack(settings), _webhook(settings, endpoints)]
    providers = joined(builtin, packaged_providers(Environment().get))
    return ProviderRegistry(providers, AllowedRecipients(settings.allowed_recipients))


def mailtrap_feedback(settings: Settings) -> MailtrapFeedback:
    """What reads Mailtrap's delivery webhooks."""
    given = settings.mailtrap_webhook_secret
    secrets = [] if given is None else given.get_secret_value().split(",")
    return MailtrapFeedback([secret.strip() for secret in secrets if secret.strip()])


def unsubscribe_links(settings: Settings) -> UnsubscribeLinks | None:
    """The links that mails offer, where it is known how people reach the server and there is something to sign with."""
    if settings.public_url is None or settings.secret is None:
        return None
    return UnsubscribeLinks(settings.public_url, settings.secret.get_secret_value())


def _email(settings: Settings, local_inbox: LocalInbox | None) -> Provider:
    if settings.smtp_url is None:
        return _mailtrap(settings, local_inbox)
    return SmtpEmailProvider(
        SmtpConfiguration(
            url=settings.smtp_url,
            from_email=settings.mail_from_email,
            from_name=settings.mail_from_name,
            rate=settings.email_rate,
            retry_delays_seconds=settings.email_retry_seconds,
        )
    )


def _mailtrap(settings: Settings, local_inbox: LocalInbox | None) -> MailtrapEmailProvider:
    configuration = MailtrapConfiguration(
        api_key=settings.mailtrap_api_key,
        use_sandbox=settings.mailtrap_use_sandbox,
        inbox_id=settings.mailtrap_inbox_id,
        from_email=settings.mail_from_email,
        from_name=settings.mail_from_name,
        api_host=settings.mailtrap_api_host,
        account_id=settings.mailtrap_account_id,
        rate=settings.email_rate,
        retry_delays_seconds=settings.email_retry_seconds,
    )
    if local_inbox is not None and uses_local_inbox(settings):
        configuration = replace(
            configuration,
            api_key=SecretStr(LOCAL_INBOX_KEY),
            use_sandbox=True,
            inbox_id=LOCAL_INBOX_ID,
            api_host=local_inbox.url,
            label="local inbox",
        )
    return MailtrapEmailProvider(configuration)


def _slack(settings: Settings) -> SlackProvider:
    configuration = SlackConfiguration(
        webhook_url=settings.slack_webhook_url, retry_delays_seconds=settings.slack_retry_seconds
    )
    return SlackProvider(configuration)


def _webhook(settings: Settings, endpoints: Endpoints) -> WebhookProvider:
    return WebhookProvider(
        WebhookConfiguration(
            signing_secret=settings.webhook_signing_secret,
            allow_cidrs=settings.webhook_allow_cidrs,
            retry_delays_seconds=settings.webhook_retry_seconds,
        ),
        endpoints=endpoints,
    )
