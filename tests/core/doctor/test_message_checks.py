"""What the doctor finds of links and templates; no database is asked."""

import pytest

from perdure.core.doctor import message_checks
from perdure.core.doctor.installation import Installation
from perdure.core.notifications.message_templates import MessageTemplates
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.unsubscribing import UnsubscribeLinks
from perdure.errors import ConfigurationError
from perdure.models.finding import Level
from perdure.storage.filesystem import FilesystemStore


def nowhere():
    raise AssertionError("a database was asked for")


@pytest.fixture
def installation(tmp_path):
    """One whose settings the test changes."""

    def made(**changes):
        fields = {
            "data_dir": tmp_path,
            "is_embedded": False,
            "pool_size": 5,
            "worker_processes": 1,
            "lets_others_in": False,
            "will_make_key": False,
            "allowed_recipients": (),
            "job_types": list,
            "connect": nowhere,
            "providers": lambda: ProviderRegistry([]),
            "public_url": None,
            "templates": MessageTemplates,
            "mails_reach_people": False,
            "unsubscribe_links": lambda: None,
            "misses_bounces": False,
            "files": FilesystemStore(tmp_path / "files"),
        }
        return Installation(**fields | changes)

    return made


@pytest.mark.parametrize(
    ("url", "lets_others_in", "level"),
    [
        (None, False, Level.OK),
        (None, True, Level.WARN),
        ("http://127.0.0.1:8080", False, Level.OK),
        ("http://localhost:8080", True, Level.WARN),
        ("http://jobs.example.com", True, Level.WARN),
        ("https://jobs.example.com", True, Level.OK),
    ],
)
async def test_links_lead_to_where_people_reach_the_server(installation, url, lets_others_in, level):
    finding = await message_checks.public_url(installation(public_url=url, lets_others_in=lets_others_in))
    assert (finding.level, bool(finding.advice)) == (level, level is not Level.OK)


async def test_a_public_url_that_is_none_is_refused(installation):
    with pytest.raises(ConfigurationError, match="PERDURE_PUBLIC_URL"):
        await message_checks.public_url(installation(public_url="jobs.example.com"))


async def test_templates_of_ones_own_are_tried(installation, tmp_path):
    assert "built-in" in (await message_checks.templates(installation())).found
    ours = installation(templates=lambda: MessageTemplates(tmp_path))
    (tmp_path / "job_failure.subject.txt").write_text("Oh no")
    assert "1 of your own: job_failure.subject.txt" in (await message_checks.templates(ours)).found
    (tmp_path / "job_failure.subject.txt").write_text("{{ nosuch }}")
    with pytest.raises(ConfigurationError, match=r"job_failure\.subject\.txt"):
        await message_checks.templates(ours)


async def test_bounces_that_nobody_hears_are_worth_a_look(installation):
    assert (await message_checks.mail_feedback(installation())).level is Level.OK
    finding = await message_checks.mail_feedback(installation(misses_bounces=True))
    assert (finding.level, "MAILTRAP_WEBHOOK_SECRET" in finding.advice) == (Level.WARN, True)


async def test_mails_that_reach_people_offer_to_unsubscribe(installation):
    assert (await message_checks.unsubscribing(installation())).level is Level.OK
    lacking = await message_checks.unsubscribing(installation(mails_reach_people=True))
    assert (lacking.level, "PERDURE_SECRET" in lacking.advice) == (Level.WARN, True)
    links = UnsubscribeLinks("https://jobs.example.com", "a secret of some length")
    offered = installation(mails_reach_people=True, unsubscribe_links=lambda: links)
    assert (await message_checks.unsubscribing(offered)).level is Level.OK
    guessed = installation(unsubscribe_links=lambda: UnsubscribeLinks("https://jobs.example.com", "short"))
    with pytest.raises(ConfigurationError, match="PERDURE_SECRET"):
        await message_checks.unsubscribing(guessed)
