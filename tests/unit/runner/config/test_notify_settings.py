"""The webhook's address comes from option, variable or file, and nothing ever shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.model.errors import SettingsError
from reports.notice.message import NoticeKind
from runner.config import settings
from runner.config.notify_settings import hidden

pytestmark = pytest.mark.unit
SECRET = "https://hooks.slack.com/services/T0/B0/geheim"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "ROOT", tmp_path)


def test_the_option_has_the_address_and_the_file_the_rest(tmp_path: Path) -> None:
    (tmp_path / "meshproof.toml").write_text("[notify]\nkind = 'json'\nreports = 'https://r.example.com/'\n")
    found = settings.load({"notify": SECRET}).notify
    assert found.url.get_secret_value() == SECRET
    assert found.form is NoticeKind.JSON
    assert found.link("x") == "https://r.example.com/x/index.html"


def test_the_variable_names_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_NOTIFY__URL", SECRET)
    found = settings.load()
    assert found.notify.form is NoticeKind.SLACK
    assert SECRET not in repr(found)
    assert SECRET not in "".join(found.handed().values())
    assert settings.Settings.model_validate(found.for_tests()).notify.url.get_secret_value() == ""


@pytest.mark.parametrize(
    "given", [{"notify": SECRET.replace("https", "ftp")}, {"notify": "geheim"}, {"notify": "http://x:99999/geheim"}]
)
def test_what_is_no_address_is_one_line_that_does_not_quote_it(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"notify\.url cannot be used: it is no address of http or https") as caught:
        settings.load(given)
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["https://user:geheim@r.example.com/runs", "https://geheim@r.example.com", "r"])
def test_a_link_for_everyone_has_no_password(address: str, tmp_path: Path) -> None:
    """It is in each message, and in the report that the message links to."""
    (tmp_path / "meshproof.toml").write_text(f"[notify]\nreports = '{address}'\n")
    with pytest.raises(SettingsError, match=r"notify\.reports") as caught:
        settings.load()
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("name", ["MESHPROOF_NOTIFY", "MESHPROOF_IMAGES", "MESHPROOF_ARCHIVES"])
def test_a_section_given_whole_is_one_line_that_does_not_quote_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, SECRET)
    with pytest.raises(SettingsError, match=f"the environment variable {name} is not JSON") as caught:
        settings.load()
    assert "geheim" not in str(caught.value)


def test_the_recorded_command_line_does_not_have_it() -> None:
    assert hidden(["run", "--notify", SECRET, "-v"]) == ["run", "--notify", "***", "-v"]
    assert hidden(["run", f"--notify={SECRET}"]) == ["run", "--notify=***"]
    assert hidden(["run", "suites/lab"]) == ["run", "suites/lab"]
