from __future__ import annotations

import base64
import hashlib
import itertools
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from clients.model.redact import redact, redact_mapping

pytestmark = pytest.mark.unit

KEY = ec.generate_private_key(ec.SECP256R1())
TOKEN = jwt.encode({"sub": "someone", "n": "x" * 40}, KEY, algorithm="ES256")
OTHER_TOKEN = jwt.encode({"sub": "else"}, "secret" * 8, algorithm="HS256")
MARK = f"[redacted jwt {hashlib.sha256(TOKEN.encode()).hexdigest()[:6]}]"
OPAQUE = "ya29.a0AfH6SMBx7Zq"
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
RSA_PEM = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    .decode()
)
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TOKEN, MARK),
        (f"token {TOKEN}.", f"token {MARK}."),
        (f"curl -H 'Authorization: Bearer {TOKEN}' http://h/", f"curl -H 'Authorization: Bearer {MARK}' http://h/"),
        (f"https://h/?jwt={TOKEN}&x=1", f"https://h/?jwt={MARK}&x=1"),
        (f'{{"Authorization": ["Bearer {TOKEN}"]}}', f'{{"Authorization": ["Bearer {MARK}"]}}'),
        ("Authorization: Bearer invalidToken", "Authorization: Bearer [redacted]"),
        (f"authorization: bearer {OPAQUE}\nnext", "authorization: bearer [redacted]\nnext"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted]"),
        ("Proxy-Authorization: abc", "Proxy-Authorization: [redacted]"),
        ('"authorization":"Bearer abc"', '"authorization":"Bearer [redacted]"'),
        ('\\"authorization\\":\\"Bearer abc\\"', '\\"authorization\\":\\"Bearer [redacted]\\"'),
        (f"sent Bearer {OPAQUE} to it", "sent Bearer [redacted] to it"),
        ("user:\n    token: abcdefghij0123456789\n", "user:\n    token: [redacted]\n"),
        ('"token": "abcdefghij0123456789"', '"token": "[redacted]"'),
        ("client-key-data: LS0tabc=", "client-key-data: [redacted]"),
        ("password: hunter2", "password: [redacted]"),
        ("refresh_token=abc", "refresh_token=[redacted]"),
        ("Cookie: a=1; b=2", "Cookie: a=[redacted]; b=[redacted]"),
        ("set-cookie: sid=xyz; Path=/; HttpOnly", "set-cookie: sid=[redacted]; Path=/; HttpOnly"),
        ("curl -H 'Cookie: a=1' http://h/?q=1", "curl -H 'Cookie: a=[redacted]' http://h/?q=1"),
        ('{"set-cookie":["a=1; Path=/","b=2"]}', '{"set-cookie":["a=[redacted]; Path=[redacted]","b=[redacted]"]}'),
    ],
    ids=itertools.count(),  # tokens and keys are others in each process, and names of tests may not be
)
def test_secrets_go_and_the_rest_stays(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "httpbin.mtls-service.svc.cluster.local",
        "examples.example.com.evil",
        "outbound|80|example-com-originate-TLS|example.com",
        'www-authenticate: Bearer realm="http://httpbin.mtls-service:8000/headers", error="invalid_token"',
        "kind: AuthorizationPolicy",
        "rbac_access_denied_matched_policy[ns[mtls-service]-policy[require-jwt]-rule[0]]",
        "GET with <token: expired> is refused",
        "httpCookie:\n  name: user\n  ttl: 0s",
        "a bearer token of a wrong issuer",
        "2026-11-22T16:16:30.123456Z e1234567890.abcdefghij.abcdefghij",
        PUBLIC,
    ],
    ids=itertools.count(),  # tokens and keys are others in each process, and names of tests may not be
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "AUTHORIZATION: Basic dXNlcjpwYXNz",
        "BeArEr abcdefgh12345678.x",
        "Access_Token=abcdefgh12345678",
        "PASSWORD: hunter2hunter2",
        "Client-Secret=abcdefgh12345678",
        "CLIENT_SECRET=abcdefgh12345678",
        "client-KEY-data: abcdefgh12345678",
        "Set-Cookie: a=b1234567",
        "COOKIE: a=b1234567",
        "pa\u017f\u017fword: hunter2hunter2",
        "Author\u0131zation: Basic dXNlcjpwYXNz",
        "\u00fc acce\u017fs_to\u212aen=abcdefgh12345678",
    ],
)
def test_the_name_of_a_secret_counts_in_every_spelling(text: str) -> None:
    """Names are looked for first, as the patterns are slow; these know more spellings of a letter than `lower`."""
    assert "[redacted]" in redact(text)


def test_two_tokens_can_be_distinguished() -> None:
    first, second = redact(TOKEN), redact(OTHER_TOKEN)
    assert first != second
    assert first == redact(f"{TOKEN}")


def test_a_token_cut_short_is_redacted_too() -> None:
    for length in range(TOKEN.index(".") + 2, len(TOKEN)):
        assert TOKEN[:length] not in redact(f"body: {TOKEN[:length]!r}")


@pytest.mark.parametrize("pem", [PEM, RSA_PEM], ids=["elliptic curve", "RSA"])
def test_private_keys(pem: str) -> None:
    body = pem.splitlines()[1]
    assert redact(f"a\n{pem}b") == "a\n[redacted]\nb"
    assert body not in redact(json.dumps({"key": pem}))
    assert body not in redact(pem[:120])
    assert body not in redact(f"{PUBLIC}{pem}")
    assert PUBLIC in redact(f"{PUBLIC}{pem}")
    encoded = base64.b64encode(pem.encode()).decode()
    assert redact(f"tls.key: {encoded}\n") == "tls.key: [redacted]\n"


def test_a_certificate_in_base64_stays() -> None:
    text = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIIB").decode()
    assert redact(f"tls.crt: {text}") == f"tls.crt: {text}"


def test_mapping_finds_secrets_by_their_key() -> None:
    data = {
        "headers": {"Set-Cookie": ("sid=xyz; Path=/",), "authorization": "Bearer abc", "x-a": [f"v {TOKEN}"]},
        "password": "hunter2",
        "client-key-data": "abc",
        "token": "abcdefghij0123456789",
        "count": 3,
        "none": None,
    }
    assert redact_mapping(data) == {
        "headers": {
            "Set-Cookie": ["sid=[redacted]; Path=/"],
            "authorization": "Bearer [redacted]",
            "x-a": [f"v {MARK}"],
        },
        "password": "[redacted]",
        "client-key-data": "[redacted]",
        "token": "[redacted]",
        "count": 3,
        "none": None,
    }
    assert redact_mapping({"token": "expired"}) == {"token": "expired"}
    assert redact_mapping({"token": TOKEN}) == {"token": MARK}


def test_mapping_hides_the_data_of_a_secret_and_leaves_a_config_map() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "eA=="}, "stringData": {"b": "x"}}
    assert redact_mapping(secret) == {
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"a": "[redacted]"},
        "stringData": {"b": "[redacted]"},
    }
    assert redact_mapping({**secret, "kind": "ConfigMap"}) == {**secret, "kind": "ConfigMap"}


def test_mapping_hides_the_private_part_of_a_key() -> None:
    public = {"kty": "EC", "crv": "P-256", "x": "abc", "y": "def", "kid": "k1"}
    assert redact_mapping({"keys": [{**public, "d": "private"}]}) == {"keys": [{**public, "d": "[redacted]"}]}


def test_mapping_leaves_its_argument_as_it_was() -> None:
    data = {"a": [f"Bearer {TOKEN}"]}
    redact_mapping(data)
    assert data == {"a": [f"Bearer {TOKEN}"]}
