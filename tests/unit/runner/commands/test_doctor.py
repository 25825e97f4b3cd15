"""`doctor` ends as `run` does where the input is bad, and says what would keep a run out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import FakeCluster

from clients.kube.lease import RunLease
from clients.mesh.survey.survey import Survey
from clients.model.errors import AccessError, SettingsError
from clients.model.exit_code import ExitCode
from runner.commands import cli, doctor
from runner.config.settings import Settings

pytestmark = pytest.mark.unit

BAD = {
    "no such file": (None, "cannot be used: "),
    "no YAML": ("{not yaml", "cannot be used: "),
    "another form": ("hello", "it has not the form of a kubeconfig"),
    "empty": ("", "is empty"),
    "unreachable": (
        "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], "
        "clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: a, user: {token: t}}]}",
        "does not answer",
    ),
}


@pytest.mark.parametrize("verb", [["doctor"], ["run", "suites/lab/test_setup.py"]])
@pytest.mark.parametrize("kubeconfig", BAD)
def test_a_kubeconfig_that_cannot_be_used_ends_each_verb_alike(
    verb: list[str], kubeconfig: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was one of several lines of `doctor`, which then ended with exit code 1."""
    text, message = BAD[kubeconfig]
    file = tmp_path / "config"
    if text is not None:
        file.write_text(text)
    assert cli.main([*verb, "--kubeconfig", str(file)]) == ExitCode.BAD_INPUT
    printed = capsys.readouterr()
    [line] = printed.err.splitlines()
    assert line.startswith("meshproof: ")
    assert message in line
    assert printed.out == ""


def test_a_revision_that_the_mesh_has_not_is_bad_input_and_a_missing_mesh_is_a_finding() -> None:
    found: Any = FakeCluster()
    injector = {"name": "istio-sidecar-injector", "labels": {"app": "sidecar-injector"}}
    assert not doctor.mesh(Survey(found))[1].ok
    found.put({"kind": "MutatingWebhookConfiguration", "metadata": injector, "webhooks": []})
    assert doctor.mesh(Survey(found))[1].ok
    with pytest.raises(SettingsError, match="no revision or tag nope"):
        doctor.mesh(Survey(found, "nope"))
    found.forbidden.add(("list", "MutatingWebhookConfiguration", ""))
    assert not doctor.mesh(Survey(found))[1].ok, "this identity may not look"


def test_the_run_that_would_keep_another_out_is_named() -> None:
    found, target = FakeCluster(), SimpleNamespace(settings=Settings(), starts_itself=False)
    assert doctor.in_use(found, target) == []  # type: ignore[arg-type]
    lease = RunLease(found, "ann@there 20261129-080137-e70f", run="20261129-080137-e70f")  # type: ignore[arg-type]
    lease.acquire()
    try:
        [row] = doctor.in_use(found, target)  # type: ignore[arg-type]
    finally:
        lease.release()
    assert (row.name, row.ok, row.optional) == ("lease", False, False)
    assert row.detail == "the cluster is in use by ann@there 20261129-080137-e70f"
    assert row.hint.startswith("wait for it; if it was killed, its lease expires 60 s after")
    assert doctor.in_use(found, target) == []  # type: ignore[arg-type]


def test_a_lease_that_may_not_be_read_is_a_matter_of_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> str:
        raise AccessError("leases may not be read")

    monkeypatch.setattr(doctor, "holder", refused)
    target = SimpleNamespace(settings=Settings(), starts_itself=False)
    assert doctor.in_use(FakeCluster(), target) == []  # type: ignore[arg-type]
