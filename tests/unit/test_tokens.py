from __future__ import annotations

import json
import stat
from pathlib import Path

import jwt
import pytest

from clients.errors import SettingsError
from clients.redact import redact
from clients.tokens import ALGORITHMS, ISSUER, KINDS, TokenIssuer

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
    assert named <= set(KINDS)
    assert len({issuer.mint(kind) for kind in KINDS}) == len(KINDS)


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
