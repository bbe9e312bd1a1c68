"""The local inbox of `perdure dev`, at work: a job ends, its mail arrives, and is looked at as it was received."""

import httpx2
import pytest
from playwright.sync_api import expect
from tests.installation import installed, until

from perdure.client import calls
from perdure.client.client import Client
from perdure.provided import LOCAL_INBOX_KEY

HOSTILE = (
    '<h1>Hello</h1><script>top.location = "https://evil.example"</script><img src="https://evil.example/x" alt="">'
    '<form action="/sign-out" method="post"><button>Press</button></form>'
)


@pytest.fixture(scope="module")
def platform_url(embedded_url, tmp_path_factory):
    """All in one process."""
    with installed(embedded_url, tmp_path_factory.mktemp("dev")) as made:
        yield made.start("dev", "--port", "0").ready["url"]


@pytest.fixture(scope="module")
def told(platform_url):
    """The job whose mail arrived."""
    with Client(platform_url) as client:
        declared = {"context": {"email": "ada@example.com"}, "notifications": {"email": {}}}
        job = client.submit("demo.sleep", {"seconds": 0}, **declared)
        caught = calls.inbox()
        until(lambda: any(job["job_id"] in one["mail"].get("text", "") for one in client.call(caught)["items"]))
        return job["job_id"]


def catch(platform_url, **mail):
    headers = {"Authorization": f"Bearer {LOCAL_INBOX_KEY}"}
    sent = {"to": [{"email": "ada@example.com"}], "from": {"email": "x@example.com"}} | mail
    answer = httpx2.post(f"{platform_url}/api/send/local", json=sent, headers=headers)
    return answer.json()["message_ids"][0]


def test_a_mail_can_be_read_by_everybody(looks, page, told):
    looks("/inbox", "inbox")
    page.goto("/inbox")
    page.get_by_role("link", name="demo.sleep").click()
    expect(page.frame_locator("iframe").get_by_role("heading", name="demo.sleep")).to_be_visible()
    looks(page.url, "mail")
    looks(f"{page.url}?part=headers", "mail-headers")


def test_a_job_its_delivery_and_its_mail_lead_to_each_other(page, told):
    page.goto("/inbox")
    page.get_by_role("link", name="demo.sleep").click()
    mail = page.url
    page.get_by_role("link", name="Its delivery").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("To a***@e***.com")
    page.get_by_role("link", name="the mail in the local inbox").click()
    expect(page).to_have_url(mail)
    page.get_by_role("link", name="Text").click()
    expect(page.get_by_label("the text", exact=True)).to_contain_text(told)


def test_a_hostile_mail_can_do_nothing(page, browser, platform_url):
    message_id = catch(platform_url, subject="<b>Win</b>", text="<b>Win</b>", html=HOSTILE)
    page.goto(f"/inbox/{message_id}?part=headers")
    expect(page.get_by_role("heading", level=1)).to_have_text("<b>Win</b>")
    # In a window of its own: the browser says of each thing that it held back, which elsewhere fails the test.
    with browser.new_context(base_url=platform_url) as context:
        answered = []
        context.on("response", lambda response: answered.append(response.url))
        window = context.new_page()
        window.goto(f"/inbox/{message_id}")
        mail = window.frame_locator("iframe")
        expect(mail.get_by_role("heading", name="Hello")).to_be_visible()
        mail.get_by_role("button", name="Press").click()
        expect(mail.get_by_role("heading", name="Hello")).to_be_visible()
        assert window.url == f"{platform_url}/inbox/{message_id}"
        assert [url for url in answered if "evil" in url or "sign-out" in url] == []
