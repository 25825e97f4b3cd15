"""Texts of a wrong form: the message says in words what they must be, and quotes no pattern."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from clients.model.errors import SettingsError
from runner.config import settings

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'cluster_name = "prod ü"',
            "the setting cluster_name ('prod ü') cannot be used: it must be at most 100 letters",
        ),
        ('revision = "A"', "the setting revision ('A') cannot be used: it must be a name of small letters, digits and"),
        ('root_namespace = "a_b"', "it must be a name of small letters, digits and hyphens"),
        ('istio = "v1.31"', "it must be a version, for instance 1.31 or 1.31.1"),
        ('ingress_address = "http://a"', "it must be a host name or an IP address, without scheme and path"),
        ('image_prefix = "https://a/b"', "it must be a registry without a scheme, and a path in small letters"),
        ('[ingress.front]\naddress = "a/b"', "it must be a host name or an IP address, without scheme and path"),
        ('[images]\nsleep = "Curl Images"', "it must be an image, for instance registry.example.com/tools/curl:8.16.0"),
        ('[egress]\nlabel = "istio"', "the setting egress.label ('istio') cannot be used: it must be key=value"),
        ('[egress]\nnamespace = "a/b"', "it must be a name of small letters, digits and hyphens"),
        ('[external]\nhosts = {"A B" = "10.0.0.1"}', "it must be the name of a host, in small letters"),
        ('[pods]\npull_secret = "regcred"', "it must be namespace/name of a Secret"),
        ('[pods]\nconstraint = "A"', "it must be a name of small letters, digits, . and -"),
        (
            '[identity]\njwks_uri = "keys.json"',
            "the setting identity.jwks_uri cannot be used: it must be an address of",
        ),
        (
            '[[known_failures]]\ncontrol = "lab"\nowner = "a"\nlink = "http://a"\nuntil = 2027-01-01',
            "it must be such as LAB",
        ),
        (
            '[[known_failures]]\ncontrol = "LAB-A"\nowner = "a"\nlink = "a"\nuntil = 2027-01-01',
            "it must be an address of",
        ),
        ('[notify]\nreports = "ftp://a"', "it must be an address of http or https without a user, a query"),
        ('[notify]\nreports = "https://a.example/b?token=sesame"', "without a user, a query and a fragment"),
        ('[notify]\nreports = "https://me:sesame@a.example/b"', "without a user, a query and a fragment"),
        ('[notify]\nreports = "https://a.example/b#sesame"', "without a user, a query and a fragment"),
        ('revision = "a\\n"', "it must be a name of small letters"),
    ],
)
def test_the_form_is_said_in_words(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("meshproof.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        settings.load()
    assert message in str(caught.value)
    assert "sesame" not in str(caught.value)
    assert "[a-z" not in str(caught.value)


def test_no_setting_has_a_form_without_words() -> None:
    def fields(model: type[BaseModel]) -> dict[str, object]:
        own = {f"{model.__name__}.{name}": field.metadata for name, field in model.model_fields.items()}
        inner = [one.annotation for one in model.model_fields.values() if isinstance(one.annotation, type)]
        return own | {key: value for one in inner if issubclass(one, BaseModel) for key, value in fields(one).items()}

    found = fields(settings.Settings)
    assert "Pods.pull_secret" in found
    assert not [name for name, metadata in found.items() if "pattern=" in repr(metadata)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[images]\nsleep = "a"\n[images]\nsleep = "a"\n',
            "the table [images] is there twice, again at line 3; keep one",
        ),
        (
            '[ingress.front]\nway = "auto"\n[ingress.front]\n',
            "the table [ingress.front] is there twice, again at line 3",
        ),
        ('out = "a"\nout = "b"\n', "a name is there twice, again at line 2; keep one"),
    ],
)
def test_what_is_there_twice_is_named(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For instance by `images --toml >> meshproof.toml` a second time."""
    monkeypatch.chdir(tmp_path)
    Path("meshproof.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        settings.load()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("ARCHIVES", "/a.tar", 'give a list in JSON, such as ["a", "b"]'),
        ("PODS__TOLERATIONS", "a=b:NoSchedule", 'give a list in JSON, such as ["a", "b"]'),
        ("PODS__LABELS", "team=mesh", "set MESHPROOF_PODS__LABELS__NAME for each name, or give JSON"),
        ("PODS", "team=mesh", "set MESHPROOF_PODS__NAME for each name, or give JSON"),
        ("INGRESS__FRONT", "a.example", "set MESHPROOF_INGRESS__FRONT__NAME for each name, or give JSON"),
    ],
)
def test_the_variable_that_is_no_json_is_named(
    name: str, value: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable of the whole section was named, which was not set; of a list, one for each name was asked for."""
    monkeypatch.setenv("MESHPROOF_PODS__PULL_SECRET", "ci/regcred")
    monkeypatch.setenv(f"MESHPROOF_{name}", value)
    with pytest.raises(SettingsError) as caught:
        settings.load()
    assert str(caught.value) == f"the environment variable MESHPROOF_{name} is not JSON; {hint}"
