"""Several files in KUBECONFIG, as kubectl reads them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from kubernetes import config
from kubernetes.config import kube_config

from clients.kube.kubeconfig import configuration
from clients.kube.merged import merged
from clients.model.errors import ClusterError
from runner.config.settings import Settings
from runner.target.live import Live

pytestmark = pytest.mark.unit

SERVER = "https://127.0.0.1:9"


def written(folder: Path, **parts: Any) -> str:
    folder.mkdir()
    (folder / "config").write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **parts}))
    return str(folder / "config")


def named(name: str, kind: str, **body: Any) -> list[dict[str, Any]]:
    return [{"name": name, kind: body}]


def of_one(name: str, user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    """All parts of a kubeconfig of one context."""
    return {
        "clusters": named(name, "cluster", server=SERVER, **cluster),
        "contexts": named(name, "context", cluster=name, user=name),
        "users": named(name, "user", **(user or {"token": name})),
    }


def use(monkeypatch: pytest.MonkeyPatch, *files: str) -> None:
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", os.pathsep.join(files))


@pytest.mark.parametrize("other", ["staging", ""])
def test_the_first_current_context_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    """The client library takes the last: a run began on another cluster than kubectl would have gone to."""
    first = written(tmp_path / "a", **{"current-context": "prod"}, **of_one("prod"))
    use(monkeypatch, first, written(tmp_path / "b", **{"current-context": other}, **of_one("staging")))
    assert Live(Settings(target="live")).context() == "prod"
    assert configuration(None, None).api_key == {"BearerToken": "Bearer prod"}
    assert configuration(None, "staging").api_key == {"BearerToken": "Bearer staging"}


def test_an_empty_current_context_leaves_it_to_the_next_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = written(tmp_path / "a", **{"current-context": ""}, **of_one("prod"))
    use(monkeypatch, first, written(tmp_path / "b", **{"current-context": "staging"}, **of_one("staging")))
    assert Live(Settings(target="live")).context() == "staging"


def test_the_first_entry_of_a_name_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = written(tmp_path / "a", **{"current-context": "prod"}, **of_one("prod"))
    use(monkeypatch, first, written(tmp_path / "b", **of_one("prod", {"token": "another"})))
    assert configuration(None, None).api_key == {"BearerToken": "Bearer prod"}


def test_paths_are_relative_to_the_file_that_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client library looked for a user's certificate where the file of the cluster is."""
    cluster = written(tmp_path / "a", clusters=named("c", "cluster", server=SERVER, **{"certificate-authority": "ca"}))
    user = {"client-certificate": "mine/crt", "client-key": "mine/key"}
    rest = {"contexts": named("c", "context", cluster="c", user="u"), "current-context": "c"}
    use(monkeypatch, cluster, written(tmp_path / "b", users=named("u", "user", **user), **rest))
    for file in ("a/ca", "b/mine/crt", "b/mine/key"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    made = configuration(None, None)
    assert made.ssl_ca_cert == str(tmp_path / "a/ca")
    assert made.cert_file == str(tmp_path / "b/mine/crt")
    assert made.key_file == str(tmp_path / "b/mine/key")


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_a_file_without_anything_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    if kind == "empty":
        (tmp_path / kind).touch()
    there = written(tmp_path / "a", **{"current-context": "prod"}, **of_one("prod"))
    use(monkeypatch, str(tmp_path / kind), "", there)
    assert Live(Settings(target="live")).context() == "prod"


def test_what_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(config.ConfigException, match="there is no such file"):
        merged(str(tmp_path / "nowhere"))
    use(monkeypatch, str(tmp_path / "a"), str(tmp_path / "b"))
    monkeypatch.setenv("KUBECONFIG", "set")
    with pytest.raises(
        config.ConfigException, match=f"there is no file {tmp_path}/a nor {tmp_path}/b, which KUBECONFIG"
    ):
        merged(None)
    monkeypatch.delenv("KUBECONFIG")
    with pytest.raises(config.ConfigException, match=f"there is no file {tmp_path}/a nor {tmp_path}/b$"):
        merged(None)


def test_an_empty_field_states_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty proxy hid the one of the environment, and an empty authority was a folder that is no file."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    parts = of_one("c", {"token": "t", "tokenFile": ""}, **{"proxy-url": "", "certificate-authority": ""})
    made = configuration(Path(written(tmp_path / "a", **{"current-context": "c"}, **parts)), None)
    assert made.proxy == "http://proxy:3128"
    assert made.ssl_ca_cert is None
    assert made.api_key == {"BearerToken": "Bearer t"}


def test_a_tokens_file_counts_before_the_token(tmp_path: Path) -> None:
    """As it is written again, and what was copied next to it is not."""
    parts = of_one("c", {"token": "old", "tokenFile": "token"})
    path = Path(written(tmp_path / "a", **{"current-context": "c"}, **parts))
    (tmp_path / "a" / "token").write_text("new\n")
    assert configuration(path, None).api_key == {"BearerToken": "Bearer new"}


@pytest.mark.parametrize("part", ["clusters", "contexts", "users"])
@pytest.mark.parametrize("entries", [5, [5], ["x"], [{}], [{"name": "c"}], [{"name": "c", "user": 5}], None])
def test_what_has_not_the_form_of_one_is_one_line(tmp_path: Path, part: str, entries: Any) -> None:
    parts = {"current-context": "c", **of_one("c"), part: entries}
    path = written(tmp_path / "a", **parts)
    if part == "users" and entries is None:
        assert configuration(Path(path), None).api_key == {}
        return
    with pytest.raises(ClusterError) as caught:
        configuration(Path(path), None)
    assert caught.value.message.startswith(f"{path} cannot be used: ")
    assert "\n" not in caught.value.message
