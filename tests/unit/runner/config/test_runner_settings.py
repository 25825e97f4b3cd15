"""Settings: precedence, misspellings, and what a target implies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clients.apply.item import manifest_text
from clients.model.errors import ManifestError, SettingsError
from runner.commands import plan
from runner.config import settings
from runner.config.known_failures import of_embedded

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "ROOT", tmp_path)


def test_command_line_beats_environment_beats_file_beats_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.load().budget_s == 30.0
    (tmp_path / "meshproof.toml").write_text("budget_s = 11\nwindow_s = 1\n")
    assert settings.load().budget_s == 11
    monkeypatch.setenv("MESHPROOF_BUDGET_S", "12")
    assert settings.load().budget_s == 12
    assert settings.load({"budget_s": 13.0}).budget_s == 13
    assert settings.load({"budget_s": None}).budget_s == 12, "None means: not given"
    assert settings.load().window_s == 1
    assert settings.load().policy.budget_s == 12


def test_a_misspelt_variable_is_an_error_with_the_right_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_REVISON", "x")
    with pytest.raises(SettingsError, match=r"MESHPROOF_REVISON is no setting; did you mean MESHPROOF_REVISION\?"):
        settings.load()


def test_a_misspelt_key_in_the_file_is_an_error_with_the_right_name(tmp_path: Path) -> None:
    (tmp_path / "meshproof.toml").write_text("contxt = 'x'\n")
    with pytest.raises(SettingsError, match=r"no setting contxt; did you mean context\?"):
        settings.load()


def test_a_misspelt_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "meshproof.toml").write_text("[images]\nhtpbin = 'x'\n")
    with pytest.raises(SettingsError, match=r"images\.htpbin; did you mean httpbin\?"):
        settings.load()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[ingress.front]\nadress = 'x'\n", "no setting ingress.front.adress; did you mean address?"),
        ("[[pods.tolerations]]\neffct = 'x'\n", "no setting pods.tolerations.0.effct; did you mean effect?"),
    ],
)
def test_the_right_name_is_one_of_the_same_section(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "meshproof.toml").write_text(content)
    with pytest.raises(SettingsError, match=re.escape(message)):
        settings.load()


def test_a_file_that_is_no_toml_is_an_error_without_traceback(tmp_path: Path) -> None:
    (tmp_path / "meshproof.toml").write_text("budget_s = = 3\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.load()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"budget_s = 3\n# caf\xe9\n", "is not text in UTF-8: byte 19 of it is 0xe9"),
        ("budget_s = 3\n".encode("utf-16"), "is not text in UTF-8"),
        (b"\x00", "cannot be read"),
        (b"a = " + b"[" * 5000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_text_is_an_error_without_traceback(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "meshproof.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=re.escape(message)) as error:
        settings.load()
    assert str(path) in str(error.value)
    with pytest.raises(SettingsError, match=re.escape(message)):
        of_embedded(path)


@pytest.mark.parametrize("content", [b"", b"caf\xe9", b"-----BEGIN CERTIFICATE-----\nx\n"])
def test_roots_that_are_no_certificates_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "roots.pem").write_bytes(content)
    given = {"external": {"hosts": {"example.com": "10.0.0.1"}, "roots": str(tmp_path / "roots.pem")}}
    with pytest.raises(SettingsError, match=r"roots\.pem, which holds no certificates in PEM"):
        settings.load(given)


@pytest.mark.parametrize("content", [b"caf\xe9", b"[" * 5000])
def test_manifests_that_are_no_text_are_named_in_the_plan(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    assert "cannot be read" in plan.objects(tmp_path / "a.yaml")[0]


def test_a_manifest_that_is_no_text_is_an_error_without_traceback(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"caf\xe9")
    with pytest.raises(ManifestError, match=r"a\.yaml is not text in UTF-8"):
        manifest_text(tmp_path / "a.yaml")


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_CONFIG", "nowhere.toml")
    with pytest.raises(SettingsError, match=r"nowhere\.toml, which is no file"):
        settings.load()


@pytest.mark.parametrize(
    "given",
    [
        {"revision": "Not A Label"},
        {"budget_s": 0},
        {"error_rate": 1.0},
        {"istio": "newest"},
        {"workers": -1},
        {"leak": "0%"},
        {"leak": "100%"},
        {"leak": "one%"},
        {"leak": "a little"},
    ],
)
def test_values_that_cannot_be_used(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError) as raised:
        settings.load(given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"istioctl": "/nowhere/istioctl"}, "which is no file"),
        ({"egress": {"namspace": "x"}}, "did you mean namespace"),
        ({"egress": {"label": "istio"}}, "egress.label"),
        ({"egress": {"http_port": 0}}, "egress.http_port"),
        ({"images": {"sleep": "UPPER CASE:::"}}, "images.sleep"),
        ({"image_prefix": "https://mirror.example.com"}, "image_prefix"),
        (
            {"external": {"hosts": {"example.com": "notip"}}},
            "external.hosts.example.com ('notip') cannot be used",
        ),
        ({"external": {"hosts": {"no host": "10.0.0.1"}}}, "external.hosts.no host"),
        ({"external": {"hosts": {"a.b": "10.0.0.1"}, "more": {"a.b": ["x"]}}}, "external.more.a.b.0"),
        ({"external": {"hosts": {"a.b": "10.0.0.1"}, "google_apis": "10.0.0.1/8"}}, "external.google_apis"),
        ({"ingress_address": "http://a/b"}, "ingress_address"),
        ({"ingress": {"front": {"address": "a b"}}}, "ingress.front.address"),
        ({"budget_s": float("inf")}, "budget_s"),
        ({"poll_s": float("nan")}, "poll_s"),
        ({"error_rate": 1e-300}, "error_rate"),
        ({"window_s": 30}, "window_s is 30, and must be shorter than budget_s, which is 30"),
        ({"budget_s": 0.2}, "window_s is 0.25, and must be shorter than budget_s, which is 0.2"),
    ],
)
def test_settings_of_external_hosts_and_gateway_that_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings.load(given)
    assert message in str(error.value)


def test_the_users_own_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_EGRESS__NAMESPACE", "their-gateway")
    monkeypatch.setenv("MESHPROOF_EGRESS__LABEL", "app=egress")
    egress = settings.load({"context": "gke", "hosts": "internet"}).egress
    assert (egress.namespace, egress.label, egress.http_port) == ("their-gateway", "app=egress", 8080)


REAL = {"issuer": "https://accounts.example.com", "audience": "door", "token": "env:TOKEN"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"token": "vault:x"}, "identity.token cannot be used: unknown source of tokens; use command:"),
        ({"issuer": "https://a.example"}, "issuer is of a real issuer, so it needs a source of tokens (token)"),
        ({"expired_token": "env:X"}, "expired_token is of a real issuer"),
        ({"token": "env:X"}, "needs the issuer and the audience"),
        ({**REAL, "jwks_uri": "accounts.example.com/keys"}, "identity.jwks_uri cannot be used"),
        ({**REAL, "jwks": "/keys.json", "jwks_uri": "https://a.example/keys"}, "either at jwks_uri or in jwks"),
        ({**REAL, "tokn": "x"}, "no setting identity.tokn; did you mean token?"),
    ],
)
def test_settings_of_a_real_issuer_that_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings.load({"identity": given})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_token_instead_of_its_source_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"
    monkeypatch.setenv("MESHPROOF_IDENTITY__TOKEN", secret)
    with pytest.raises(SettingsError, match="unknown source") as error:
        settings.load({"identity": {"issuer": "https://a.example", "audience": "door"}})
    assert secret not in str(error.value)


def test_rctoken_audience_alone_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_IAP__AUDIENCE", "my-rctoken-aud")
    assert settings.load().iap.audience == "my-rctoken-aud"


def test_a_real_issuer_from_the_file(tmp_path: Path) -> None:
    lines = [f'{name} = "{value}"' for name, value in REAL.items()]
    (tmp_path / "meshproof.toml").write_text("\n".join(["[identity]", *lines, 'jwks_uri = "https://a.example/keys"']))
    identity = settings.load({"context": "gke"}).identity
    assert (identity.issuer, identity.token, identity.jwks_uri) == (
        REAL["issuer"],
        "env:TOKEN",
        "https://a.example/keys",
    )


@pytest.mark.parametrize(
    ("given", "share"), [("1%", 0.01), (" 0.5 % ", 0.005), ("0.02", 0.02), (0.1, 0.1), (None, None)]
)
def test_a_share_is_written_as_a_percentage_or_as_a_number(given: object, share: float | None) -> None:
    assert settings.load({"leak": given}).policy.leak == share


def test_a_share_that_is_no_number_names_the_setting() -> None:
    with pytest.raises(SettingsError, match=r"the setting leak \('1x%'\) cannot be used: '1x' is no number"):
        settings.load({"leak": "1x%"})


@pytest.mark.parametrize(
    "image",
    ["x", "curlimages/curl:8.16.0", "localhost:5000/sleep", "[::1]:5000/a/b_c:V1", "r.io/x__y/z-1@sha256:" + "a" * 64],
)
def test_references_of_images_as_registries_have_them(image: str) -> None:
    assert settings.load({"images": {"sleep": image}}).images.sleep == image


@pytest.mark.parametrize("mirror", ["mirror.example.com", "localhost:5000", "m.example.com/a/b-c", "[::1]:5000/x/"])
def test_mirrors_with_and_without_a_path(mirror: str) -> None:
    assert settings.load({"image_prefix": mirror}).image_prefix == mirror
