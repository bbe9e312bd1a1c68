from pathlib import Path

import pytest

from perdure.errors import ConfigurationError
from perdure.models.delivery_policy import Rate
from perdure.settings import Settings, variables


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_the_contracts():
    settings = Settings.read(environment={})
    assert (settings.host, settings.port, settings.lease_seconds) == ("127.0.0.1", 8080, 30)
    assert settings.mailtrap_use_sandbox is True
    assert (settings.mail_from_email, settings.mail_from_name) == ("hello@demomailtrap.co", "Resilient Job Platform")
    assert settings.max_body_bytes == 1_048_576
    assert settings.database_url is None


def test_flags_beat_the_environment_which_beats_dotenv(tmp_path: Path):
    (tmp_path / ".env").write_text("PERDURE_PORT=1\nPERDURE_HOST=::1\nMAIL_FROM_NAME='From dotenv'\n")
    settings = Settings.read(environment={"PERDURE_PORT": "2", "PERDURE_HOST": "localhost"}, port=3, host=None)
    assert (settings.port, settings.host, settings.mail_from_name) == (3, "localhost", "From dotenv")


def test_a_secret_can_be_read_from_a_file(tmp_path: Path):
    (tmp_path / "key").write_text("s3cret\n")
    settings = Settings.read(environment={"MAILTRAP_API_KEY_FILE": str(tmp_path / "key")})
    assert settings.mailtrap_api_key is not None
    assert settings.mailtrap_api_key.get_secret_value() == "s3cret"


def test_a_secret_file_that_cannot_be_read_is_named():
    with pytest.raises(ConfigurationError, match="MAILTRAP_API_KEY_FILE"):
        Settings.read(environment={"MAILTRAP_API_KEY_FILE": "missing"})


def test_lists_are_comma_separated():
    settings = Settings.read(environment={"PERDURE_QUEUES": "a, b,,c", "PERDURE_EMAIL_RETRY_SECONDS": "1,2.5"})
    assert (settings.queues, settings.email_retry_seconds) == (("a", "b", "c"), (1.0, 2.5))


@pytest.mark.parametrize("name", ["PERDURE_DATABASE_URL", "DATABASE_URL"])
def test_both_names_of_the_database_url_are_read(name: str):
    settings = Settings.read(environment={name: "postgresql://h/d"})
    assert settings.database_url is not None


@pytest.mark.parametrize("name", ["MAILTRAP_API_KEY", "MAIL_FROM_EMAIL", "PERDURE_PORT", "MAILTRAP_API_KEY_FILE"])
def test_an_empty_variable_counts_as_unset(name: str):
    assert Settings.read(environment={name: ""}) == Settings.read(environment={})


def test_an_empty_variable_does_not_hide_its_file(tmp_path: Path):
    (tmp_path / "key").write_text("s3cret")
    settings = Settings.read(environment={"MAILTRAP_API_KEY": "", "MAILTRAP_API_KEY_FILE": str(tmp_path / "key")})
    assert settings.mailtrap_api_key is not None


def test_a_wrong_value_is_named_by_its_variable_and_not_shown():
    with pytest.raises(ConfigurationError) as caught:
        Settings.read(environment={"PERDURE_PORT": "canary", "MAILTRAP_USE_SANDBOX": "canary"})
    assert "PERDURE_PORT" in caught.value.detail
    assert "MAILTRAP_USE_SANDBOX" in caught.value.detail
    assert "canary" not in caught.value.detail


def test_secrets_do_not_show_in_the_settings_own_text():
    settings = Settings.read(environment={"MAILTRAP_API_KEY": "canary", "DATABASE_URL": "postgresql://u:canary@h/d"})
    assert "canary" not in repr(settings)


def test_every_setting_has_a_variable_of_its_own():
    names = [name for field in Settings.model_fields for name in variables(field)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("wrong", ["10", "ten/2", "0/2", "1/0", "1/nan", "1/inf", "-1/2", "1/x"])
def test_a_rate_is_so_many_in_so_many_seconds(wrong):
    assert Settings.read(environment={"PERDURE_EMAIL_RATE": " 150/10 "}).email_rate == Rate(150, 10)
    assert Settings.read(environment={"PERDURE_EMAIL_RATE": " "}).email_rate is None
    with pytest.raises(ConfigurationError, match="PERDURE_EMAIL_RATE"):
        Settings.read(environment={"PERDURE_EMAIL_RATE": wrong})
