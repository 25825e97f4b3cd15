"""The chart: its values and their schema, its roles, and what helm makes of it where the testbed's helm is built."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from runner.config import duration, rbac, roles
from runner.config.rights import wanted
from runner.config.settings import ROOT
from testbed.harness import tools

pytestmark = pytest.mark.unit

CHART = ROOT / "deploy/helm/meshproof"
IMAGE = "registry.example.com/meshproof:1"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def refused(**changed: Any) -> str:
    """Why the schema refuses the default values with these changes; empty where it accepts them."""
    errors = list(jsonschema.Draft7Validator(SCHEMA).iter_errors(VALUES | changed))
    return errors[0].message if errors else ""


def test_the_schema_is_one_and_takes_the_default_values() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert refused() == ""


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"imge": "x"}, "'imge' was unexpected"),
        ({"run": VALUES["run"] | {"suite": []}}, "'suite' was unexpected"),
        ({"results": {"kind": "disk"}}, "'disk' is not one of"),
        ({"results": {"kind": "s3", "s3": {"url": "https://bucket"}}}, "'https://bucket' does not match"),
        ({"job": {"backoffLimit": 3}}, "'backoffLimit' was unexpected"),
        ({"schedule": ""}, "''"),
        ({"clusterName": "a\nb"}, "does not match"),
        ({"suspend": "no"}, "'no' is not of type 'boolean'"),
    ],
)
def test_an_unknown_or_bad_value_is_refused(changed: dict[str, Any], why: str) -> None:
    assert why in refused(**changed)


@pytest.mark.parametrize(
    "text", ["", "100m", "1h30m", "90", "90s", "0", "0h0m", "1.5", "5d", "1m1h", "12345h", "1234567", "soon", " 5m"]
)
def test_a_deadline_is_refused_where_a_run_would_refuse_it(text: str) -> None:
    """Each night would end with exit code 2."""
    try:
        taken = not text or (bool(duration.seconds(text)) and text == text.strip())
    except ValueError:
        taken = False
    assert (refused(run=VALUES["run"] | {"deadline": text}) == "") is taken


def test_the_pod_that_fetches_reports_is_pulled_and_scheduled_as_the_job_is() -> None:
    """On a cluster with a pull secret, or with taints, it never started."""
    notes, job = ((CHART / "templates" / name).read_text() for name in ("NOTES.txt", "cronjob.yaml"))
    for field in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity", "securityContext"):
        assert f"{field}: " in notes, field
        assert f"{field}:" in job, field
    assert "sidecar.istio.io/inject" in notes


def test_the_pod_goes_to_a_node_of_linux() -> None:
    """A Windows node need not have a taint."""
    assert VALUES["pod"]["nodeSelector"] == {"kubernetes.io/os": "linux"}


def test_commands_of_the_notes_can_be_copied_with_their_indent() -> None:
    """The end of a here-document must begin its line: with the blanks of the notes, the shell waited for it."""
    assert "<<" not in (CHART / "templates" / "NOTES.txt").read_text()


def properties(schema: dict[str, Any], values: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Each name that only one of the two has, with that one."""
    known = schema.get("properties")
    if known is None or not isinstance(values, dict):
        return
    assert schema["additionalProperties"] is False, place
    assert all(one["description"] for one in known.values()), place
    yield from ((f"{place}{name}", "schema") for name in known.keys() - values.keys())
    yield from ((f"{place}{name}", "values") for name in values.keys() - known.keys())
    for name in known.keys() & values.keys():
        yield from properties(known[name], values[name], f"{place}{name}.")


def test_every_value_is_described_and_has_a_default() -> None:
    assert list(properties(SCHEMA, VALUES)) == [("global", "schema")]


def test_the_version_is_the_projects() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_the_roles_are_those_of_the_table() -> None:
    assert (ROOT / rbac.CHART).read_text(encoding="utf-8") == rbac.template(), (
        "write them by python -m runner.config.rbac"
    )


NUMBERS = re.compile(r"(?:Seconds|Limit|suspend): ")
"""Ends of names whose values are numbers or switches, by the schema."""


@pytest.mark.parametrize("file", sorted(path.name for path in (CHART / "templates").iterdir()))
def test_every_text_of_the_templates_is_quoted(file: str) -> None:
    """A namespace, a release or a Secret may be called 123, on or null: without quotes that is no text in YAML."""
    lines = (CHART / "templates" / file).read_text().splitlines()
    whole = [line for line in lines if re.search(r"(?:[\w./-]+:|^ *-) \{\{-? (?!toYaml)[^{}]* \}\}[^{}a-z]*$", line)]
    sure = ("quote }}", "nindent", "toJson")
    bare = [line for line in whole if not any(word in line for word in sure) and not NUMBERS.search(line)]
    assert [line for line in bare if not re.search(r"\{\{-? (?:with|if|range|end|else|define)\b", line)] == []


# -- with helm


@pytest.fixture(scope="module")
def program() -> Path:
    built = tools.built("helm")
    if built is None:
        pytest.skip("the testbed's helm is not built here; the nightly end-to-end test builds it")
    return built


def run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=300)


Objects = dict[tuple[str, str, str], dict[str, Any]]
"""Kind, name and namespace → object."""


def by_name(objects: Iterable[dict[str, Any] | None]) -> Objects:
    found = [one for one in objects if one]
    made = {(one["kind"], one["metadata"]["name"], one["metadata"].get("namespace", "")): one for one in found}
    assert len(made) == len(found)
    return made


def rendered(program: Path, *words: str, name: str = "nightly") -> Objects:
    made = run(program, "template", name, str(CHART), "--namespace", "proofs", "--set", f"image={IMAGE}", *words)
    assert made.returncode == 0, made.stderr
    return by_name(yaml.safe_load_all(made.stdout))


POLICIES = ("--api-versions", "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy")


def test_helm_lints_it(program: Path) -> None:
    linted = run(program, "lint", "--strict", str(CHART), "--set", f"image={IMAGE}")
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_helm_refuses_what_the_schema_does_not_know(program: Path) -> None:
    made = run(program, "template", "nightly", str(CHART), "--set", f"image={IMAGE}", "--set", "imge=x")
    assert made.returncode != 0
    assert "additional properties 'imge' not allowed" in made.stderr


def test_helm_asks_for_the_image(program: Path) -> None:
    made = run(program, "template", "nightly", str(CHART))
    assert made.returncode != 0
    assert "image must be set" in made.stderr


def test_a_run_is_never_doubled_and_may_clean_up(program: Path) -> None:
    cron = rendered(program)["CronJob", "nightly-meshproof", "proofs"]["spec"]
    job = cron["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    assert cron["concurrencyPolicy"] == "Forbid"
    assert (job["backoffLimit"], job["completions"], job["parallelism"]) == (0, 1, 1)
    assert pod["restartPolicy"] == "Never"
    assert job["activeDeadlineSeconds"] > pod["terminationGracePeriodSeconds"] >= 120


def test_the_pod_has_no_rights_on_its_node(program: Path) -> None:
    pod = rendered(program)["CronJob", "nightly-meshproof", "proofs"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {one["mountPath"] for one in container["volumeMounts"]} == {"/results", "/tmp"}


@pytest.mark.parametrize("mesh_wide", [False, True])
def test_the_roles_are_the_shipped_ones(program: Path, mesh_wide: bool) -> None:
    """Of `deploy/rbac/`, but for the names, so that both can be in one cluster."""
    theirs = rendered(program, *POLICIES, "--set", f"meshWide={str(mesh_wide).lower()}")
    names = roles.Names("nightly-meshproof-proofs", "nightly-meshproof-job", "proofs")
    text = roles.roles(wanted(mesh_wide=mesh_wide), names) + roles.confinement(names, mesh_wide=mesh_wide)
    shipped = by_name(yaml.safe_load_all(text))
    plain = {kind for kind, _, _ in by_name(yaml.safe_load_all(rbac.manifest(mesh_wide=mesh_wide)))}
    assert {kind for kind, _, _ in shipped} == plain - {"Namespace", "ServiceAccount"}
    assert {key: one for key, one in theirs.items() if key in shipped} == shipped
    assert {kind for kind, _, _ in theirs.keys() - shipped.keys()} == {
        *("ServiceAccount", "PersistentVolumeClaim", "CronJob"),
    }


def test_without_roles_none_is_made(program: Path) -> None:
    made = rendered(program, *POLICIES, "--set", "rbac.create=false", "--set", "results.kind=none")
    assert {kind for kind, _, _ in made} == {"ServiceAccount", "CronJob"}


def test_an_older_cluster_gets_no_admission_policy(program: Path) -> None:
    assert not [kind for kind, _, _ in rendered(program, "--kube-version", "1.29") if "Admission" in kind]


def test_what_is_run_is_stated_word_for_word(program: Path) -> None:
    words = ("--set", "run.suites={suites/lab}", "--set", "run.arguments={-k,jwt and not removed}")
    pod = rendered(program, *words)["CronJob", "nightly-meshproof", "proofs"]["spec"]["jobTemplate"]["spec"]["template"]
    [container] = pod["spec"]["containers"]
    assert container["args"] == ["run", "--workers=2", "--deadline=100m", "-k", "jwt and not removed", "suites/lab"]


def test_the_name_of_the_cluster_is_stated(program: Path) -> None:
    made = rendered(program, "--set", "clusterName=prod: eu")["CronJob", "nightly-meshproof", "proofs"]
    [container] = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["run", "--workers=2", "--deadline=100m", "--cluster-name=prod: eu"]


def test_the_settings_file_comes_through_unchanged(program: Path, tmp_path: Path) -> None:
    text = '[pods]\nlimits = {cpu = "1"}  # {{ not a template }}\n\n[images]\nsleep = "a"\n'
    (tmp_path / "meshproof.toml").write_text(text)
    made = rendered(program, "--set-file", f"settings={tmp_path}/meshproof.toml")
    assert tomllib.loads(made["ConfigMap", "nightly-meshproof", "proofs"]["data"]["meshproof.toml"]) == tomllib.loads(
        text
    )
    pod = made["CronJob", "nightly-meshproof", "proofs"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [variable] = pod["containers"][0]["env"]
    assert variable == {"name": "MESHPROOF_CONFIG", "value": "/etc/meshproof/meshproof.toml"}


def test_reports_go_to_a_bucket_with_the_keys_of_a_secret(program: Path) -> None:
    values = {"url": "s3://proofs/a", "endpoint": "https://s3.example.com", "region": "eu", "secretName": "keys"}
    words = [word for name, value in values.items() for word in ("--set", f"results.s3.{name}={value}")]
    made = rendered(program, "--set", "results.kind=s3", *words)
    assert "PersistentVolumeClaim" not in {kind for kind, _, _ in made}
    pod = made["CronJob", "nightly-meshproof", "proofs"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert "--upload=s3://proofs/a" in container["args"]
    plain = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    assert plain == {"AWS_ENDPOINT_URL_S3": "https://s3.example.com", "AWS_REGION": "eu"}
    keys = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"] if "valueFrom" in one}
    assert keys == {name: {"name": "keys", "key": name} for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    assert {"name": "results", "emptyDir": {}} in pod["volumes"]


def test_a_bucket_without_a_name_is_asked_for(program: Path) -> None:
    made = run(program, "template", "nightly", str(CHART), "--set", f"image={IMAGE}", "--set", "results.kind=s3")
    assert made.returncode != 0
    assert "results.s3.url must be set" in made.stderr


def test_two_releases_and_the_shipped_roles_fit_into_one_cluster(program: Path) -> None:
    """Also in the namespace of the shipped account."""
    shipped = by_name(yaml.safe_load_all(rbac.manifest(mesh_wide=True)))
    for namespace, name in ((rbac.NAME, rbac.NAME), ("other", rbac.NAME), (rbac.NAME, "nightly")):
        words = ("--namespace", namespace, "--set", "meshWide=true", "--set", f"image={IMAGE}", *POLICIES)
        made = run(program, "template", name, str(CHART), *words)
        objects = by_name(yaml.safe_load_all(made.stdout))
        assert len(objects) > 8
        assert not objects.keys() & shipped.keys()
        shipped |= objects
