"""How notification providers stand, and letting one be called again at once. One command, one transaction."""

from __future__ import annotations

from perdure.core.notifications.circuits import Change
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import NotFound
from perdure.models.circuit import CircuitState
from perdure.models.provider import Provider, providers_of
from perdure.repositories.circuit_repository import CircuitRepository
from perdure.repositories.provider_queries import ProviderQueries
from perdure.signals import Signals


class ProviderCommands:
    """The verbs on providers. ``by`` is who asks: the name of an API key, or "local"."""

    def __init__(self, database: Database, providers: ProviderRegistry, wakeup: Wakeup, signals: Signals) -> None:
        self._database = database
        self._channels = {provider.channel: provider.name for provider in providers}
        self._wakeup = wakeup
        self._signals = signals

    async def all(self) -> list[Provider]:
        """The providers that this process knows, whoever sends."""
        async with self._database.snapshot() as connection:
            read = ProviderQueries(connection)
            circuits = await read.circuits(list(self._channels.values()))
            return providers_of(self._channels, circuits, await read.backlogs(list(self._channels)))

    async def resume(self, name: str, by: str) -> Provider:
        """Lets all that waits for the provider be sent again, at once. One that is not paused stays as it is.

        ``name`` is the provider's, or that of the channel that it serves.

        Raises ``NotFound`` for a provider that this process does not know.
        """
        name = self._channels.get(name, name)
        if name not in self._channels.values():
            raise NotFound(
                "There is no provider or channel with this name; `perdure providers list` shows those there are."
            )
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            repository = CircuitRepository(connection)
            held = await repository.hold_of(name)
            changes = [Change(one, one.close(now)) for one in held if one.state is not CircuitState.CLOSED]
            await repository.save([change.after for change in changes])
        for change in changes:
            self._signals.emit(change.signal(by))
        self._wakeup.ring(Topic.DELIVERIES)
        return next(provider for provider in await self.all() if provider.name == name)
