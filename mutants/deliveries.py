"""The promises about deliveries: told once at a time, within the policy, and nobody who must not be told."""

from __future__ import annotations

from mutants.mutant import Mutant

COMPLETER = "tests/workers/test_completer.py"
NOTIFIER = "tests/workers/test_notifier.py"
POLICY = "tests/workers/test_notifier_policy.py"
REFUSED = "tests/workers/test_refused_recipients.py"
DELIVERY = "tests/models/test_delivery.py"
CIRCUIT = "tests/models/test_circuit.py"
PROVIDERS = "tests/core/notifications/providers"

DELIVERIES = (
    Mutant(
        "a success that the fence refused is told",
        "core/recording.py",
        "            self._dispatch(recorded.held, recorded.outbox, now)\n",
        "            self._dispatch(transitions, recorded.outbox, now)\n",
        (COMPLETER,),
        evidence="assert ",
    ),
    Mutant(
        "jobs that succeed tell nobody",
        "core/recording.py",
        "            await NewDeliveries(driver).add(recorded.outbox.deliveries)\n",
        "",
        (COMPLETER,),
        evidence="assert ",
    ),
    Mutant(
        "a sender that lost its lease concludes",
        "repositories/delivery_repository.py",
        "      AND delivery.fence = new.fence AND delivery.status = 'SENDING'",
        "      AND delivery.status = 'SENDING'",
        (NOTIFIER,),
    ),
    Mutant(
        "a claim of deliveries leaves the fence as it is",
        "repositories/delivery_claims.py",
        "fence = delivery.fence + 1,",
        "fence = delivery.fence,",
        (NOTIFIER,),
    ),
    Mutant(
        "what was called off is sent all the same",
        "models/delivery.py",
        "fence=self.fence + 1)",
        "fence=self.fence)",
        (DELIVERY,),
    ),
    Mutant(
        "an ambiguous message is sent again, and nobody asked whether it arrived",
        "workers/sending.py",
        "if delivery.ambiguous_attempts == 0 or not isinstance(provider, Reconciling):",
        "if not isinstance(provider, Reconciling) or True:",
        (POLICY,),
    ),
    Mutant(
        "doubt is repeated without end where once is enough",
        "models/delivery_policy.py",
        "return self.ambiguous_retries is not None and ambiguous_attempts > self.ambiguous_retries",
        "return False",
        (DELIVERY,),
    ),
    Mutant(
        "a circuit opens for nothing",
        "models/circuit.py",
        "    if _fails_too_often(counted):\n",
        "    if False:\n",
        (CIRCUIT,),
    ),
    Mutant(
        "an open circuit lets all through, not one",
        "repositories/delivery_claims.py",
        "                    WHEN circuit.state <> 'CLOSED' THEN 1\n",
        "",
        (POLICY,),
    ),
    Mutant(
        "a probe is spent on somebody who is not told",
        "core/notifications/circuits.py",
        "return circuit.unprobed() if call.was_probe else circuit",
        "return circuit",
        (POLICY,),
    ),
    Mutant(
        "one dead URL stops its host",
        "core/notifications/providers/webhook.py",
        "return replace(attempt, spares_destination=is_of_url(attempt))",
        "return replace(attempt, spares_destination=False and is_of_url(attempt))",
        (f"{PROVIDERS}/test_webhook.py",),
    ),
    Mutant(
        "what fails for one recipient is held against all",
        "models/circuit.py",
        "            case Verdict.TRANSIENT | Verdict.AMBIGUOUS if attempt.spares_destination:\n",
        "            case Verdict.TRANSIENT | Verdict.AMBIGUOUS if False:\n",
        (CIRCUIT,),
    ),
    Mutant(
        "a Retry-After is not heeded by the delivery",
        "models/delivery.py",
        "        delay = max(delay, min(attempt.retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS))\n",
        "",
        (DELIVERY,),
        evidence="assert ",
    ),
    Mutant(
        "a Retry-After is not heeded by a circuit that opens",
        "models/circuit.py",
        "LONGEST_BREAK_SECONDS), asked_seconds)",
        "LONGEST_BREAK_SECONDS), 0.0)",
        (CIRCUIT,),
    ),
    Mutant(
        "a pause makes those who wait older",
        "models/delivery.py",
        "timedelta(seconds=policy.max_age_seconds + excused_seconds)",
        "timedelta(seconds=policy.max_age_seconds)",
        (DELIVERY,),
    ),
    Mutant(
        "a claim does not know of the pause",
        "repositories/delivery_claims.py",
        "coalesce({circuit}.resumed_at, clock_timestamp())",
        "coalesce({circuit}.resumed_at, {circuit}.paused_at)",
        (POLICY,),
    ),
    Mutant(
        "a provider that refuses us uses up the tries of those who wait",
        "models/delivery.py",
        "spared = self.spared_attempts + 1",
        "spared = self.spared_attempts",
        (DELIVERY,),
    ),
    Mutant(
        "a rate counts claims, not messages",
        "repositories/delivery_claims.py",
        "coalesce(lane.interval_seconds, 0) * used.number",
        "coalesce(lane.interval_seconds, 0)",
        (POLICY,),
    ),
    Mutant(
        "a receiver gets all the slots of its channel",
        "repositories/delivery_claims.py",
        "                        wanted.slots_each - coalesce(in_flight.number, 0)::integer,\n",
        "",
        (POLICY,),
    ),
    Mutant(
        "the suppression list is not asked",
        "workers/notifier.py",
        "        if suppressed is not None:\n",
        "        if False:\n",
        (REFUSED,),
        evidence="assert ",
    ),
    Mutant(
        "whoever is not allowed is told",
        "workers/notifier.py",
        "        if not self._providers.allowed.allows(",
        "        if False and not self._providers.allowed.allows(",
        (REFUSED,),
    ),
    Mutant(
        "a connection is made to whatever the name leads to",
        "outbound/guard.py",
        "if not addresses or not all(self._allows(address, port) for address in addresses):",
        "if not addresses:",
        ("tests/outbound/test_guard.py",),
    ),
    Mutant(
        "one good address of a name lets the others in",
        "outbound/guard.py",
        "not all(self._allows(address, port) for address in addresses)",
        "not any(self._allows(address, port) for address in addresses)",
        ("tests/outbound/test_guard.py",),
    ),
    Mutant(
        "each try of a mail has another Message-ID",
        "core/notifications/providers/smtp.py",
        'f"<{message.delivery_id}@{configuration.from_domain}>"',
        'f"<{datetime.now(UTC).timestamp()}@{configuration.from_domain}>"',
        (f"{PROVIDERS}/test_smtp.py",),
    ),
    Mutant(
        "what was sent again is sent once more",
        "repositories/delivery_repository.py",
        "          AND later.resend_of = coalesce(delivery.resend_of, delivery.delivery_id))\n",
        "          AND later.resend_of = delivery.job_id)\n",
        ("tests/workers/test_endpoints.py",),
    ),
)
