from __future__ import annotations

import hmac
import json
import stat
from pathlib import Path
from types import SimpleNamespace

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_encode

from clients.identity.tokens import ALGORITHMS, ISSUER, MINTED, TokenIssuer
from clients.kube.cluster_time import ClusterTime
from clients.model.errors import SettingsError
from clients.model.redact import redact
from clients.model.token import Token

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def issuer() -> TokenIssuer:
    return TokenIssuer()


def verified(issuer: TokenIssuer, token: str, *, check_exp: bool = True) -> dict[str, object]:
    """The claims, after the signature was checked by the key set as a mesh would: key id first, then algorithm."""
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(issuer.jwks()).keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(
        token,
        key,
        algorithms=[key.algorithm_name],
        issuer=ISSUER,
        options={"verify_exp": check_exp, "verify_iat": False},
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_valid_token_has_the_claims_of_the_lab(issuer: TokenIssuer, algorithm: str) -> None:
    token = issuer.mint("valid", algorithm)
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert verified(issuer, token) == {
        "exp": 4685989700,
        "foo": "bar",
        "iat": 1532389700,
        "iss": "testing@secure.istio.io",
        "sub": "testing@secure.istio.io",
    }


def test_valid_es256(issuer: TokenIssuer) -> None:
    token = issuer.mint("valid-es256")
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    assert verified(issuer, token)["sub"] == ISSUER


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_wrong_token_is_wrong_in_one_way_only(issuer: TokenIssuer, algorithm: str) -> None:
    with pytest.raises(jwt.InvalidIssuerError):
        verified(issuer, issuer.mint("wrong-issuer", algorithm))
    with pytest.raises(jwt.ExpiredSignatureError):
        verified(issuer, issuer.mint("expired", algorithm))
    with pytest.raises(jwt.InvalidSignatureError):
        verified(issuer, issuer.mint("foreign-key", algorithm))
    valid = verified(issuer, issuer.mint("valid", algorithm))
    other = verified(issuer, issuer.mint("other-subject", algorithm))
    assert other["sub"] != ISSUER
    assert {**other, "sub": ISSUER} == valid
    expired = verified(issuer, issuer.mint("expired", algorithm), check_exp=False)
    assert {**expired, "exp": valid["exp"]} == valid
    foreign = jwt.decode(issuer.mint("foreign-key", algorithm), options={"verify_signature": False})
    assert foreign == valid


def test_malformed_is_the_labs_own_word(issuer: TokenIssuer) -> None:
    assert issuer.mint("malformed") == "invalidToken"


def test_every_kind_of_the_catalogue_can_be_minted(issuer: TokenIssuer) -> None:
    named = {"valid", "malformed", "wrong-issuer", "foreign-key", "expired", "other-subject"}
    assert named <= set(MINTED)
    assert len({issuer.mint(kind) for kind in MINTED}) == len(MINTED)


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("stale", "RS256"), ("", "RS256"), ("valid", "none"), ("valid", "HS256")]
)
def test_unknown_kinds_and_algorithms_are_refused(issuer: TokenIssuer, kind: str, algorithm: str) -> None:
    with pytest.raises(SettingsError, match="unknown"):
        issuer.mint(kind, algorithm)


def test_the_key_set_is_public_and_fits_a_quoted_yaml_scalar(issuer: TokenIssuer) -> None:
    text = issuer.jwks_json()
    assert "'" not in text
    assert "\n" not in text
    assert json.loads(text) == issuer.jwks()
    for key in issuer.jwks()["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi"} & set(key)
        assert {"kid", "alg", "use"} <= set(key)
    assert redact(text) == text


def test_another_process_gets_the_same_issuer(issuer: TokenIssuer, tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    issuer.dump(path)
    issuer.dump(path)
    loaded = TokenIssuer.load(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["tokens.json"]
    assert loaded.jwks() == issuer.jwks()
    for kind in ("valid", "valid-es256", "other-subject"):
        verified(issuer, loaded.mint(kind))
    with pytest.raises(jwt.InvalidSignatureError):
        verified(issuer, loaded.mint("foreign-key"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"set": "a", "trusted": {"RS256": "x"}, "foreign": {}}'])
def test_a_broken_state_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match="not the state of a token issuer"):
        TokenIssuer.load(path)


def test_a_missing_state_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        TokenIssuer.load(tmp_path / "absent.json")


def test_two_runs_share_no_key() -> None:
    first, second = TokenIssuer(), TokenIssuer()
    with pytest.raises(KeyError):
        verified(first, second.mint("valid"))


FRONT = "https://securetoken.google.com/meshproof-project"


def claims_of(token: str) -> dict[str, object]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def test_another_issuers_token_is_right_for_that_issuer(issuer: TokenIssuer) -> None:
    keys = jwt.PyJWKSet.from_dict(issuer.jwks())
    token = issuer.mint("valid@front")
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], issuer=FRONT, audience="meshproof-project")
    assert claims["email"] == "user@example.com"
    header = jwt.get_unverified_header(issuer.mint("valid@iap"))
    assert header["alg"] == "ES256"


@pytest.mark.parametrize(
    ("kind", "claim"),
    [
        ("wrong-issuer", "iss"),
        ("expired", "exp"),
        ("just-expired", "exp"),
        ("not-yet-valid", "nbf"),
        ("soon-valid", "nbf"),
        ("wrong-audience", "aud"),
        ("no-audience", "aud"),
    ],
)
def test_a_wrong_token_of_another_issuer_is_wrong_in_one_claim(issuer: TokenIssuer, kind: str, claim: str) -> None:
    right, wrong = claims_of(issuer.mint("valid@front")), claims_of(issuer.mint(f"{kind}@front"))
    assert {name for name in {*right, *wrong} if right.get(name) != wrong.get(name)} == {claim}


def test_kinds_by_the_clock_are_wrong_by_more_than_a_proxy_allows_and_by_less_than_a_year(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also at the end of a run of two hours; a skew of a year would let both in."""
    made, allowed, run, year = 1_900_000_000, 60, 7200, 365 * 86_400
    monkeypatch.setattr(issuer, "clock", lambda: made + 0.5, raising=False)
    expired, young = claims_of(issuer.mint("just-expired"))["exp"], claims_of(issuer.mint("soon-valid@iap"))["nbf"]
    assert isinstance(expired, int)
    assert isinstance(young, int)
    assert made - year < expired < made - 2 * allowed
    assert made + run + 2 * allowed < young < made + year


def seconds(token: str, claim: str) -> int:
    stated = claims_of(token)[claim]
    assert isinstance(stated, int)
    return stated


@pytest.mark.parametrize("fast_s", [-3600, 3600])
def test_times_in_tokens_are_those_of_the_cluster_whatever_this_machines_clock_says(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch, fast_s: int
) -> None:
    """On a machine whose clock was 4 min fast, a token that had just expired was let in, and LAB-JWT-04 failed."""
    made = 1_900_000_000
    monkeypatch.setattr("time.time", lambda: made + fast_s)
    api = SimpleNamespace(time=lambda: float(made))
    monkeypatch.setattr(issuer, "clock", ClusterTime.read(SimpleNamespace(api=api)).now, raising=False)  # type: ignore[arg-type]
    for kind in ("just-expired", "just-expired@front", "just-expired@iap"):
        assert -60 < seconds(issuer.mint(kind), "exp") - (made - 300) < 60
    assert -60 < seconds(issuer.token(Token("people", kind="soon-valid")), "nbf") - (made + 86_400) < 60


def test_a_token_by_the_public_key_would_convince_a_confused_verifier(issuer: TokenIssuer) -> None:
    token = issuer.mint("signed-with-public-key@front")
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    [key] = [one for one in jwt.PyJWKSet.from_dict(issuer.jwks()).keys if one.algorithm_name == "RS256"]
    public = key.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, _, signature = token.rpartition(".")
    assert base64url_encode(hmac.digest(public, head.encode(), "sha256")).decode() == signature


def test_an_unsigned_token_has_no_signature(issuer: TokenIssuer) -> None:
    token = issuer.mint("unsigned@front")
    assert jwt.get_unverified_header(token)["alg"] == "none"
    assert token.endswith(".")
    assert "eyJ" not in redact(token)


def test_the_next_key_is_in_the_set_only_when_it_is_asked_for(issuer: TokenIssuer) -> None:
    kid = jwt.get_unverified_header(issuer.mint("next-key"))["kid"]
    assert kid not in {key["kid"] for key in issuer.jwks()["keys"]}
    assert kid in {key["kid"] for key in issuer.jwks("next")["keys"]}
    assert len(issuer.jwks("trusted", "next")["keys"]) == 2 * len(ALGORITHMS)


def test_an_unknown_issuer_is_refused(issuer: TokenIssuer) -> None:
    with pytest.raises(SettingsError, match="unknown issuer of tokens 'fron'"):
        issuer.mint("valid@fron")
