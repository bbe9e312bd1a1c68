"""The only place that constructs the parts of a process and joins them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from perdure.core.bulk import BulkSubmission
from perdure.core.commands import Commands
from perdure.core.delivery_commands import DeliveryCommands
from perdure.core.doctor import examination
from perdure.core.doctor.installation import Installation
from perdure.core.feedback import FeedbackTaking
from perdure.core.file_commands import FileCommands
from perdure.core.job_actions import JobActions
from perdure.core.job_factory import JobFactory
from perdure.core.loopback import is_loopback
from perdure.core.notifications.endpoints import StoredEndpoints
from perdure.core.notifications.message_templates import MessageTemplates
from perdure.core.notifications.providers.mailtrap_feedback import MailtrapFeedback
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.rendering import MessageRenderer
from perdure.core.notifications.subscription_copy import SubscriptionCopy
from perdure.core.notifications.unsubscribing import UnsubscribeLinks
from perdure.core.recording import Recorder
from perdure.core.retention import Retention, RetentionPolicy
from perdure.core.schedule_commands import ScheduleCommands
from perdure.core.scheduling import Scheduling
from perdure.core.subscription_commands import SubscriptionCommands
from perdure.core.suppression_commands import SuppressionCommands
from perdure.db import backup, migrate
from perdure.db.restore import Restored, restore
from perdure.db.session import Database
from perdure.db.wakeup import Wakeup
from perdure.foundation import connected, spare_what_is_loaded
from perdure.models.finding import Finding, Level
from perdure.outbound.addresses import networks
from perdure.processors.registry import ProcessorRegistry
from perdure.provided import LocalInbox, mailtrap_feedback, provided, unsubscribe_links
from perdure.settings import Settings
from perdure.signals import Signals
from perdure.storage.filesystem import FilesystemStore
from perdure.telemetry import log_lines, logs
from perdure.workers.lease_page import LeasePage
from perdure.workers.notifier import Notifier
from perdure.workers.runtime import Runtime, WorkerOptions
from perdure.workers.stopping import stopping


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The joined parts that a process serves from."""

    settings: Settings
    database: Database
    wakeup: Wakeup
    signals: Signals
    providers: ProviderRegistry
    subscriptions: SubscriptionCopy
    renderer: MessageRenderer
    recorder: Recorder
    commands: Commands
    delivery_commands: DeliveryCommands
    bulk: BulkSubmission
    job_actions: JobActions
    schedule_commands: ScheduleCommands
    subscription_commands: SubscriptionCommands
    scheduling: Scheduling
    files: FilesystemStore
    file_commands: FileCommands
    feedback_taking: FeedbackTaking
    mailtrap_feedback: MailtrapFeedback
    suppression_commands: SuppressionCommands
    unsubscribe_links: UnsubscribeLinks | None

    def runtime(self, *, run_worker: bool, lease_page: LeasePage | None = None) -> Runtime:
        """The loops that the settings ask for, with a worker (whose lease a parent renews by the page) or without."""
        settings = self.settings
        worker = None
        if run_worker:
            worker = WorkerOptions(
                registry=_processors(settings),
                queues=settings.queues,
                concurrency=settings.concurrency,
                drain_seconds=settings.drain_seconds,
                lease_page=lease_page,
            )
        notifier = None
        if settings.run_notifier:
            notifier = Notifier(self.database, self.signals, self.wakeup, self.providers, self.renderer)
        return Runtime(
            database=self.database,
            wakeup=self.wakeup,
            signals=self.signals,
            recorder=self.recorder,
            files=self.file_commands,
            subscriptions=self.subscriptions,
            lease_seconds=settings.lease_seconds,
            worker=worker,
            notifier=notifier,
            run_promoter=settings.run_promoter,
            run_sweeper=settings.run_sweeper,
            scheduling=self.scheduling if settings.run_scheduler else None,
            retention=_retention(settings, self.database) if settings.run_pruner else None,
            actions=self.job_actions if settings.run_actions else None,
        )


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Database]:
    """The database that the settings name, or the embedded one; at the code's schema version, or an error.

    The embedded database is upgraded here; one given by URL only by ``upgrade_database``.
    """
    async with connected(settings) as database:
        if settings.database_url is None:
            await migrate.upgrade(database)
        await migrate.check(database)
        await database.read_clock()
        yield database


async def upgrade_database(settings: Settings) -> list[str]:
    """Brings the schema to the code's version and returns the revisions applied."""
    async with connected(settings) as database:
        return await migrate.upgrade(database)


async def prune_database(settings: Settings, *, dry_run: bool) -> Mapping[str, int]:
    """Removes what is old, or only counts it, and returns how many rows of each table that are."""
    async with opened_database(settings) as database:
        retention = _retention(settings, database)
        return await (retention.count_all() if dry_run else retention.remove_all())


def _processors(settings: Settings) -> ProcessorRegistry:
    return ProcessorRegistry.load(settings.processors, inside=networks(settings.webhook_allow_cidrs))


def _retention(settings: Settings, database: Database) -> Retention:
    policy = RetentionPolicy(jobs_days=settings.retention_days, audit_days=settings.audit_retention_days)
    return Retention(database, policy)


async def dump_database(settings: Settings, file: Path, *, replace: bool) -> None:
    """Writes everything of ours to ``file``; see ``db.backup``. The schema may be older than this code."""
    async with connected(settings) as database:
        await backup.dump(database, file, replace=replace)


async def restore_database(settings: Settings, file: Path, *, replace: bool) -> Restored:
    """Replaces everything of ours by what ``file`` holds; see ``db.restore``."""
    async with connected(settings) as database:
        return await restore(database, file, replace=replace)


async def examine(settings: Settings) -> list[examination.Named]:
    """What `perdure doctor` finds of the installation that the settings describe."""
    uses_production = settings.mailtrap_api_key is not None and not settings.mailtrap_use_sandbox
    return [
        (
            examination.SETTINGS,
            Finding(Level.OK, f"{len(settings.model_fields_set)} set, the others have their defaults"),
        ),
        *await examination.examine(
            Installation(
                data_dir=settings.data_dir.absolute(),
                is_embedded=settings.database_url is None,
                pool_size=settings.database_pool_size,
                worker_processes=settings.worker_processes,
                lets_others_in=not is_loopback(settings.host),
                will_make_key=settings.bootstrap_key is not None,
                allowed_recipients=settings.allowed_recipients,
                job_types=lambda: _processors(settings).job_types,
                connect=lambda: connected(settings),
                providers=lambda: provided(settings, None),
                public_url=settings.public_url,
                templates=lambda: MessageTemplates(settings.templates_dir),
                mails_reach_people=settings.smtp_url is not None or uses_production,
                unsubscribe_links=lambda: unsubscribe_links(settings),
                misses_bounces=settings.smtp_url is None
                and uses_production
                and settings.mailtrap_webhook_secret is None,
                files=FilesystemStore(settings.data_dir / "files"),
            )
        ),
    ]


@asynccontextmanager
async def opened_platform(
    settings: Settings, *, local_inbox: LocalInbox | None = None, signals: Signals | None = None
) -> AsyncIterator[Platform]:
    """Every part of a process, joined; closed again when the block ends."""
    signals = signals or Signals()
    log_lines.subscribe(signals)
    async with opened_database(settings) as database:
        wakeup = Wakeup(database.url)
        providers = provided(settings, local_inbox, StoredEndpoints(database))
        links = unsubscribe_links(settings)
        templates = MessageTemplates(settings.templates_dir, signals)
        renderer = MessageRenderer(settings.public_url, templates, unsubscribe_links=links)
        factory = JobFactory(providers)
        subscriptions = SubscriptionCopy(database)
        recorder = Recorder(providers, subscriptions, signals, wakeup)
        files = FilesystemStore(settings.data_dir / "files")
        try:
            await subscriptions.refresh()
            yield Platform(
                settings=settings,
                database=database,
                wakeup=wakeup,
                signals=signals,
                providers=providers,
                subscriptions=subscriptions,
                renderer=renderer,
                recorder=recorder,
                commands=Commands(database, factory, recorder, wakeup, signals),
                delivery_commands=DeliveryCommands(database, wakeup, signals),
                bulk=BulkSubmission(database, factory, wakeup, signals),
                job_actions=JobActions(database, recorder, wakeup, signals),
                schedule_commands=ScheduleCommands(database, factory, wakeup),
                subscription_commands=SubscriptionCommands(database, providers, subscriptions, wakeup, signals),
                scheduling=Scheduling(database, factory, wakeup, signals),
                files=files,
                file_commands=FileCommands(database, files, wakeup),
                feedback_taking=FeedbackTaking(database, signals),
                mailtrap_feedback=mailtrap_feedback(settings),
                suppression_commands=SuppressionCommands(database),
                unsubscribe_links=links,
            )
        finally:
            await providers.aclose()


async def work(
    settings: Settings, lease_page: LeasePage | None = None, ready: Callable[[], None] = lambda: None
) -> None:
    """Runs a worker until told to stop; calls ``ready`` once it claims. (A server is the business of ``app``.)

    A parent renews its lease by ``lease_page`` (``foundation``); without one it does that itself.
    """
    logs.configure(settings.log_format, settings.log_level)
    stopped = asyncio.Event()
    async with opened_platform(settings) as platform:
        runtime = platform.runtime(run_worker=True, lease_page=lease_page)
        with stopping(stopped.set, has_parent=lease_page is not None) as at_once:
            async with runtime.running(at_once):
                spare_what_is_loaded()
                ready()
                await stopped.wait()
