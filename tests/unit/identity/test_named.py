"""Issuers that cases name: one key each, the same in every process, and claims of any type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from clients.identity.tokens import TokenIssuer
from clients.model.errors import SettingsError
from clients.model.redact import redact
from clients.model.token import Token

pytestmark = pytest.mark.unit

ISSUER = TokenIssuer()


def claims(token: Token) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(ISSUER.token(token), options={"verify_signature": False})
    return decoded


def verified(token: Token, issuer: str) -> bool:
    key = jwt.PyJWK(json.loads(ISSUER.named[issuer])["keys"][0])
    try:
        jwt.decode(ISSUER.token(token), key, [key.algorithm_name])
    except jwt.InvalidSignatureError:
        return False
    return True


def test_the_claims_are_those_of_the_case() -> None:
    token = Token("people", {"sub": "a", "email_verified": True, "roles": ["admin"], "realm": {"roles": ["x"]}})
    assert claims(token) == {
        "iss": "https://people.example.test",
        "sub": "a",
        "email_verified": True,
        "roles": ["admin"],
        "realm": {"roles": ["x"]},
        "iat": 1532389700,
        "exp": 4685989700,
    }
    assert claims(Token("people", {"iss": 7, "exp": None})) == {"iss": 7, "iat": 1532389700}


def test_each_issuer_has_its_own_key() -> None:
    assert verified(Token("people"), "people")
    assert not verified(Token("people"), "scopes")
    assert not verified(Token("people", kind="foreign-key"), "people")
    assert not verified(Token("people", kind="other-signature"), "people")
    own = jwt.get_unverified_header(ISSUER.token(Token("people")))["kid"]
    assert own == jwt.get_unverified_header(ISSUER.token(Token("people", kind="foreign-key")))["kid"]
    assert own != jwt.get_unverified_header(ISSUER.token(Token("people", kind="unknown-key")))["kid"]


def test_every_process_of_a_run_has_the_same_keys(tmp_path: Path) -> None:
    ISSUER.dump(tmp_path / "tokens")
    assert TokenIssuer.load(tmp_path / "tokens").named["people"] == ISSUER.named["people"]
    assert TokenIssuer().named["people"] != ISSUER.named["people"]


def test_other_kinds() -> None:
    assert claims(Token("people", kind="expired"))["exp"] == 1532393300
    assert ISSUER.token(Token(text="garbage")) == "garbage"
    assert ISSUER.token(Token("people", kind="malformed")) == "invalidToken"
    assert ISSUER.token(Token("people", kind="unsigned")).endswith(".")
    assert jwt.decode(ISSUER.token(Token(kind="valid")), options={"verify_signature": False})["foo"] == "bar"


@pytest.mark.parametrize(
    "token", [Token("people", kind="expierd"), Token("people", kind="next-key"), Token("front", {"sub": "a"})]
)
def test_a_token_that_no_issuer_has_is_a_mistake(token: Token) -> None:
    with pytest.raises(SettingsError):
        ISSUER.token(token)


def test_a_token_is_redacted_in_any_header() -> None:
    sent = ISSUER.token(Token("people", {"sub": "a"}))
    assert sent not in redact(f"x-scope-token: {sent}")


@pytest.mark.parametrize(
    ("token", "words", "where"),
    [
        (Token("people"), "of people", "Authorization"),
        (Token("people", {"ok": True, "sub": None}, "expired"), "expired of people, ok true, no sub", "Authorization"),
        (Token(text="garbage", place="x-scope-token: {}"), "'garbage'", "x-scope-token"),
        (Token(kind="valid", place="?token={}"), "valid", "?token"),
    ],
)
def test_a_token_in_words(token: Token, words: str, where: str) -> None:
    assert (token.words, token.where, token.in_url) == (words, where, where.startswith("?"))


def test_tokens_that_differ_in_a_claim_are_different() -> None:
    assert Token("people", {"a": "true"}) != Token("people", {"a": True})
    assert len({Token("people", {"a": "b"}), Token("people", {"a": "b"})}) == 1
