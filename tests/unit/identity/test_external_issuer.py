"""A real issuer in the place of our own: what can be made without its key, what cannot, and what the mesh gets."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode

from clients.apply.overlay import Overlay
from clients.identity.claims import PROFILES
from clients.identity.external_issuer import ExternalIssuer
from clients.identity.jwks import DISCOVERY, KeySet
from clients.identity.tokens import MINTED, TokenIssuer
from clients.mesh.egress_gateway import EgressGateway
from clients.model import redact
from clients.model.errors import InfrastructureError, SettingsError
from reports.record.model import TargetInfo
from runner.commands import doctor
from runner.config.identity_settings import Identity
from runner.config.settings import Settings
from runner.target import identity
from runner.target.descriptor import TargetDescriptor
from runner.target.template_values import Scope, template_values
from tests.standins.issuer import AUDIENCE, NAME, Issuer, Metadata, metadata_server

pytestmark = pytest.mark.unit

ISSUER = Issuer()
EC = Issuer("ES256")
OWN = TokenIssuer()
MAKES = {
    "valid",
    "malformed",
    "unsigned",
    "signature-of-none",
    "tampered",
    "other-signature",
    "signed-with-public-key",
    "foreign-key",
    "unknown-key",
    "wrong-issuer",
}


@pytest.fixture(autouse=True)
def forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_known", set())


@pytest.fixture
def site() -> Iterator[Metadata]:
    """The issuer's own site."""
    with metadata_server(ISSUER) as server:
        yield server


def settings(folder: Path, issuer: Issuer = ISSUER, **more: Any) -> Settings:
    (folder / "token").write_text(issuer.token())
    given = {"issuer": NAME, "audience": AUDIENCE, "token": f"file:{folder}/token"}
    given |= {} if "jwks_uri" in more else {"jwks": issuer.save(folder / "keys.json")}
    return Settings(identity=Identity(**{**given, **more}))


def real(folder: Path, issuer: Issuer = ISSUER, **more: Any) -> ExternalIssuer:
    return identity.real_issuers(settings(folder, issuer, **more))["front"]


def taken_over(given: Settings) -> TokenIssuer:
    tokens = TokenIssuer.__new__(TokenIssuer)
    tokens.__dict__.update(OWN.__dict__)
    return identity.take_over(tokens, identity.real_issuers(given), given, time.time)


def verified(token: str, issuer: Issuer = ISSUER, **how: Any) -> dict[str, Any]:
    """As a mesh would: by the key set, then issuer and audience."""
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(issuer.jwks).keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    algorithms = [key.algorithm_name]
    return dict(jwt.decode(token, key, algorithms, audience=AUDIENCE, issuer=NAME, options=how))


def content(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


@pytest.mark.parametrize("issuer", [ISSUER, EC], ids=["RS256", "ES256"])
def test_the_good_token_is_the_issuers_and_each_bad_one_is_bad_in_one_way(issuer: Issuer, tmp_path: Path) -> None:
    tokens = taken_over(settings(tmp_path, issuer))
    good = tokens.mint("valid@front")
    assert verified(good, issuer)["sub"] == "someone"
    for kind in ("foreign-key", "tampered", "other-signature"):
        with pytest.raises(jwt.InvalidSignatureError):
            verified(tokens.mint(f"{kind}@front"), issuer)
    for kind in ("foreign-key", "unknown-key", "unsigned", "signature-of-none", "signed-with-public-key"):
        assert content(tokens.mint(f"{kind}@front")) == content(good), kind
    assert tokens.mint("malformed@front") == "invalidToken"
    assert jwt.get_unverified_header(tokens.mint("unknown-key@front"))["kid"] not in str(issuer.jwks)
    assert jwt.get_unverified_header(tokens.mint("foreign-key@front"))["alg"] == issuer._algorithm
    tampered = tokens.mint("tampered@front")
    assert content(tampered)["sub"] != "someone"
    assert tampered.rpartition(".")[2] == good.rpartition(".")[2]
    other = content(tokens.mint("wrong-issuer@front"))
    assert {name for name in other if other[name] != content(good)[name]} == {"iss"}


def test_a_token_by_the_fetched_public_key_would_convince_a_confused_verifier(tmp_path: Path) -> None:
    token = real(tmp_path).mint("signed-with-public-key", OWN.forged)
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    [key] = [one for one in jwt.PyJWKSet.from_dict(ISSUER.jwks).keys if one.algorithm_name == "RS256"]
    public = key.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed, _, signature = token.rpartition(".")
    assert base64url_encode(hmac.digest(public, signed.encode(), "sha256")).decode() == signature


def test_what_takes_the_issuers_key_is_said_so(tmp_path: Path) -> None:
    issuer = real(tmp_path)
    kinds = {*PROFILES["front"].kinds, *MINTED}
    can = {kind for kind in kinds if not issuer.why_not(kind)}
    assert can == MAKES
    why = issuer.why_not("expired")
    assert why.startswith(f"a token of kind expired takes the private key of {NAME}; identity.expired_token can name")
    assert "identity.other_audience_token" in issuer.why_not("wrong-audience")
    for kind in ("not-yet-valid", "just-expired", "soon-valid"):
        assert issuer.why_not(kind) == f"a token of kind {kind} takes the private key of {NAME}"
    with pytest.raises(InfrastructureError, match="takes the private key"):
        issuer.mint("two-audiences", OWN.forged)


def test_a_second_source_gives_what_only_the_issuer_can_make(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(old := ISSUER.token(-60))
    (tmp_path / "other").write_text(other := ISSUER.token(aud="another"))
    more = {"expired_token": f"file:{tmp_path}/old", "other_audience_token": f"file:{tmp_path}/other"}
    issuer = real(tmp_path, **more)
    issuer.check()
    assert issuer.mint("expired", OWN.forged) == old
    assert issuer.mint("wrong-audience", OWN.forged) == other


def test_a_source_of_any_audience_gives_one_for_another(
    site: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{site.port}")
    issuer = real(tmp_path, token="metadata")
    assert not issuer.why_not("wrong-audience")
    assert content(issuer.mint("wrong-audience", OWN.forged))["aud"] != AUDIENCE
    assert verified(issuer.mint("valid", OWN.forged))


def test_a_real_token_is_never_sent_in_an_address(tmp_path: Path) -> None:
    issuer = real(tmp_path)
    assert "access logs" in issuer.why_not("valid", in_query=True)
    assert issuer.why_not("tampered", in_query=True) == ""
    planned = [("valid@front", False), ("valid@front", True)]
    assert "access logs" in identity.why_not(planned, {"front": issuer})
    assert identity.why_not(planned[:1], {"front": issuer}) == ""
    assert identity.why_not([("expired@iap", False), ("expired", False)], {"front": issuer}) == ""


def test_a_source_that_fails_in_the_middle_says_nothing_of_the_mesh(tmp_path: Path) -> None:
    issuer = real(tmp_path)
    (tmp_path / "token").unlink()
    with pytest.raises(InfrastructureError, match="cannot be read"):
        issuer.mint("valid", OWN.forged)


def test_a_token_is_used_as_long_as_the_clusters_clock_lets_it(tmp_path: Path) -> None:
    """By a slow clock of this machine, one that had expired for the mesh was sent for a good one."""
    given = settings(tmp_path)
    real = identity.real_issuers(given)
    tokens = TokenIssuer.__new__(TokenIssuer)
    tokens.__dict__.update(OWN.__dict__)
    assert verified(real["front"].mint("valid", OWN.forged))
    ahead = identity.take_over(tokens, real, given, lambda: time.time() + 7200)
    with pytest.raises(InfrastructureError, match=r"the token expired \d+ s ago"):
        ahead.mint("valid@front")


def test_check_asks_every_source_and_reads_the_keys(tmp_path: Path) -> None:
    identity.check(settings(tmp_path))
    (tmp_path / "old").write_text(ISSUER.token())
    with pytest.raises(SettingsError, match=r"identity\.expired_token: the token has not expired"):
        identity.check(settings(tmp_path, expired_token=f"file:{tmp_path}/old"))
    given = settings(tmp_path)
    (tmp_path / "keys.json").write_text("[]")
    with pytest.raises(SettingsError, match="is no key set"):
        identity.check(given)


def test_doctor_tells_of_the_source(tmp_path: Path) -> None:
    given = settings(tmp_path)
    assert [(one.name, one.ok) for one in doctor.tokens(given)] == [("identity", True)]
    (tmp_path / "token").write_text("")
    [finding] = doctor.tokens(given)
    assert (finding.ok, finding.detail) == (False, "identity.token: the source gives nothing")
    assert doctor.tokens(Settings()) == []


RULE = """apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: a, namespace: gke-system}
spec:
  jwtRules:
    - issuer: '{{ front_issuer }}'
      audiences: ['{{ front_audience }}']
      jwks: '{{ jwks }}'
    - issuer: '{{ iap_issuer }}'
      jwks: '{{ jwks }}'
"""


def rules(given: Settings) -> list[dict[str, Any]]:
    tokens = taken_over(given)
    values = template_values(TargetDescriptor(TargetInfo("embedded")), tokens, Scope("w0-", EgressGateway()))
    keys = {issuer.issuer: issuer.keys.rule for issuer in tokens.real.values()}
    overlay = Overlay("w0-", "r", "w", {}, "", values, frozenset({"gke-system", "example"}), keys=keys)
    return list(overlay.objects(RULE, "a.yaml")[0]["spec"]["jwtRules"])


def test_the_mesh_is_told_the_real_issuer_and_where_its_keys_are(tmp_path: Path) -> None:
    uri = "https://keys.accounts.example"  # the last part is a namespace's name
    first, second = rules(settings(tmp_path, jwks_uri=uri))
    assert first == {"issuer": NAME, "audiences": [AUDIENCE], "jwksUri": uri}
    assert second == {"issuer": PROFILES["iap"].claims["iss"], "jwks": OWN.jwks_json()}


def test_the_mesh_gets_the_keys_themselves_or_asks_the_issuer(tmp_path: Path) -> None:
    first, _ = rules(settings(tmp_path))
    assert json.loads(first["jwks"]) == ISSUER.jwks
    first, _ = rules(settings(tmp_path, jwks=None))
    assert first == {"issuer": NAME, "audiences": [AUDIENCE]}


def test_an_audience_alone_is_of_the_runs_own_tokens() -> None:
    given = Settings(identity=Identity(audience="door"), iap=Identity(audience="my-rctoken-aud"))
    tokens = taken_over(given)
    assert tokens.real == {}
    assert content(tokens.mint("valid@iap"))["aud"] == "my-rctoken-aud"
    assert content(tokens.mint("two-audiences@front"))["aud"] == ["another-project", "door"]
    assert content(tokens.mint("wrong-audience@front"))["aud"] == "another-project"
    values = template_values(TargetDescriptor(TargetInfo("embedded")), tokens, Scope("w0-", EgressGateway()))
    assert values["rctoken_aud"] == "my-rctoken-aud"


def test_keys_by_address_and_by_discovery(site: Metadata) -> None:
    here = f"http://127.0.0.1:{site.port}"
    site.answers = {
        DISCOVERY: (200, json.dumps({"jwks_uri": f"{here}/keys"})),
        "/keys": (200, json.dumps(ISSUER.jwks)),
    }
    key_id = ISSUER.jwks["keys"][0]["kid"]
    assert KeySet(here + "/").public_pem(key_id) == KeySet(NAME, f"{here}/keys").public_pem(key_id)
    assert (KeySet(here).rule, KeySet(NAME, f"{here}/keys").rule) == ({}, {"jwksUri": f"{here}/keys"})


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({}, r"cannot be fetched \(HTTPError\)"),
        ({DISCOVERY: (200, "no json")}, "cannot be fetched"),
        ({DISCOVERY: (200, "[]")}, "gives no JSON object"),
        ({DISCOVERY: (200, "{}")}, "names no jwks_uri"),
    ],
)
def test_keys_that_cannot_be_had_cost_one_kind_of_token(
    site: Metadata, tmp_path: Path, answers: dict[str, tuple[int, str]], message: str
) -> None:
    site.answers = answers
    keys = KeySet(f"http://127.0.0.1:{site.port}")
    with pytest.raises(SettingsError, match=message) as caught:
        keys.public_pem("x")
    assert "identity.jwks" in caught.value.hint
    assert "it takes the issuer's public key: " in keys.why_not("x")


def test_a_key_that_is_not_in_the_set(tmp_path: Path) -> None:
    keys = KeySet(NAME, file=ISSUER.save(tmp_path / "keys.json"))
    assert keys.why_not("another") == f"it takes the issuer's public key: the key set of {NAME} has no key 'another'"


def test_a_key_for_any_algorithm_is_not_confused_by_another(tmp_path: Path) -> None:
    """Without `alg` the mesh tries the key, and refuses with other words than are pinned."""
    keys = [{name: value for name, value in key.items() if name != "alg"} for key in ISSUER.jwks["keys"]]
    (tmp_path / "keys.json").write_text(json.dumps({"keys": keys}))
    why = KeySet(NAME, file=tmp_path / "keys.json").why_not(keys[0]["kid"])
    assert "is for any algorithm" in why


@pytest.mark.parametrize("keys", ['{"keys": [{"kid": "a", "kty": "RSA", "alg": "RS256"}]}', '{"keys": ["x"]}'])
def test_keys_that_are_none(tmp_path: Path, keys: str) -> None:
    (tmp_path / "keys.json").write_text(keys)
    with pytest.raises(SettingsError, match=r"cannot be used|is no key set"):
        KeySet(NAME, file=tmp_path / "keys.json").public_pem("a")


SECRET = {"kid": "a", "kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}
PRIVATE = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True) | {"kid": "a", "alg": "ES256"}


@pytest.mark.parametrize("key", [SECRET, PRIVATE, PRIVATE | {"alg": ["ES256"]}], ids=["oct", "private", "alg"])
def test_a_key_that_is_not_public_cannot_be_used(site: Metadata, key: dict[str, Any]) -> None:
    site.answers = {"/keys": (200, json.dumps({"keys": [key]}))}
    with pytest.raises(SettingsError, match=r"the key 'a' of .* cannot be used"):
        KeySet(NAME, f"http://127.0.0.1:{site.port}/keys").public_pem("a")


@pytest.mark.parametrize("key", [SECRET, PRIVATE], ids=["oct", "private"])
def test_a_file_with_a_secret_key_does_not_reach_the_cluster(tmp_path: Path, key: dict[str, Any]) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [*ISSUER.jwks["keys"], key]}))
    with pytest.raises(SettingsError, match="holds a secret key") as caught:
        _ = KeySet(NAME, file=tmp_path / "keys.json").rule
    assert all(key.get(member, "-none-") not in str(caught.value) for member in ("d", "k"))
