"""One typed settings object. Precedence: command line, environment (`MESHPROOF_*`), file (`meshproof.toml`), default.

A misspelt setting is an error in any of these places, and the hint names the nearest setting. The settings are read
once, by the process that the user starts; its test processes get all of them (`Settings.handed`) and read no file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from clients.model.errors import SettingsError
from runner.config import notify_settings, toml_file
from runner.config.convergence_settings import DAY_S, ConvergenceSettings
from runner.config.egress_settings import Egress, External, Hosts
from runner.config.fitting_settings import Namespaces, Pods
from runner.config.gate_settings import GateSettings
from runner.config.identity_settings import Identity
from runner.config.image_settings import MIRROR, Images
from runner.config.ingress_settings import Address, Ingress
from runner.config.known_failures import KnownEntry
from runner.config.notify_settings import Notify
from runner.config.numbers import Number, Whole
from runner.config.option import Option, options
from runner.config.paths import AnyPath, anchored
from runner.config.setting_errors import explain, refuse_empty, refuse_unknown_variables, section_given_whole
from runner.config.texts import NAME, OF_NAME, OF_VERSION, VERSION, formed

ROOT = Path(__file__).resolve().parent.parent.parent
PREFIX = "MESHPROOF_"
FILE_VARIABLE = "MESHPROOF_CONFIG"
SETTLED_VARIABLE = "MESHPROOF_SETTLED"
"""Internal: all settings as JSON, from the command line to the test processes that it starts."""
NOT_SETTINGS = frozenset({FILE_VARIABLE, SETTLED_VARIABLE, "MESHPROOF_CACHE_DIR"})
FILE_NAME = "meshproof.toml"
CLUSTER = ("target", "context", "kubeconfig")
"""Settings that name a cluster."""
TARGET = "Target"
"""Heading of the help."""


class Settings(GateSettings, ConvergenceSettings):
    """Everything that can be set, with the gates and what convergence takes. Paths are absolute.

    Attributes:
        target: kind of the cluster under test (`runner.target.targets`); empty: the one that `context` or `kubeconfig`
            implies, else `embedded`, which starts the testbed if needed.
        cluster_name: of the cluster, by which history, notifications and metrics know it again; empty: its context, or
            the beginning of its uid.
        revision: labels namespaces `istio.io/rev=…`; empty: detected where there is just one.
        root_namespace: the namespace whose policies apply to the whole mesh; empty: found by what injects, and by the
            configuration of the mesh.
        istio: version line of the embedded mesh (`1.31`); empty for the default one.
        workers: test processes; 0 runs everything in one.
        allow_mesh_wide: run controls that change the whole mesh on a cluster that is not the embedded one.
        enforce: a missing capability fails the control instead of skipping it.
        keep: leave a stage's objects in place after a failure, for inspection; `meshproof cleanup` removes them.
        shuffle: seed of a random order of modules and of cases in them; None keeps the order of the documents.
        hosts: external hosts: the testbed's own (embedded target, its default), or those of the internet (other
            targets, only where this is set); without either, controls that need them are skipped.
        image_prefix: a mirror for all of the target's own images: their registry is replaced by it.
        namespaces, pods: what the cluster demands of them (`runner.config.fitting_settings`).
        egress: the egress gateway.
        external: external hosts of the user's own, in place of `hosts`.
        istioctl: the program, for `istioctl analyze`; None for the testbed's own, or the one on the PATH.
        ingress_address: where the ingress gateways are reached that have no address of their own in `ingress`.
        ingress: how gateways are reached from outside (`runner.config.ingress_settings`).
        notify: who gets what is new of a run (`runner.config.notify_settings`).
        metrics: file for Prometheus's node exporter, in addition to the one in the run's folder.
        skip_preflight: do not try what the cluster does before the first case (`clients.proof.preflight`).
        ready_s: seconds for an environment or a change to become ready, and to be deleted.
        identity: issuer of the front door's tokens (suite `front`).
        iap: issuer of IAP's tokens (suite `iap`); its audience is the document's `RCTOKEN_AUD`.
        signing_key: private key of Ed25519 (PEM) that signs the files of a run; None for one that is made for the run.
        archives: image archives to load into a kind cluster (`kind load image-archive`).
        upload: bucket to which the folder of a run is copied when it has ended (`reports.bucket`).
        known_failures: who answers for which failures until when (`runner.config.known_failures`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Annotated[str, Option("--target", "KIND", "Kind of the cluster under test.", TARGET)] = ""
    context: Annotated[
        str, Option("--context", "NAME", "Context to use; for a run repeatable; implies --target live.", TARGET)
    ] = ""
    cluster_name: Annotated[
        str,
        Option("--cluster-name", "NAME", "What reports and history call the cluster.", TARGET),
        formed(
            r"([A-Za-z0-9]([A-Za-z0-9 ._:/@-]{0,98}[A-Za-z0-9])?)?",
            "at most 100 letters of English, digits, blanks and . _ : / @ -, with a letter or a digit at both ends",
        ),
    ] = ""
    kubeconfig: Annotated[
        AnyPath | None, Option("--kubeconfig", "FILE", "Kubeconfig; implies --target live.", TARGET)
    ] = None
    revision: Annotated[
        str, Option("--revision", "REV", "Label namespaces istio.io/rev=REV.", TARGET), formed(NAME, OF_NAME)
    ] = ""
    root_namespace: Annotated[
        str,
        Option("--root-namespace", "NAME", "Root namespace of the mesh, where it cannot be found.", TARGET),
        formed(NAME, OF_NAME),
    ] = ""
    istio: Annotated[
        str, Option("--istio", "VERSION", "Version line of the embedded mesh.", TARGET), formed(VERSION, OF_VERSION)
    ] = ""
    hosts: Annotated[
        Hosts | None,
        Option("--hosts", "hermetic|internet", "External hosts to use; on a live target only 'internet'.", TARGET),
    ] = None
    istioctl: Annotated[AnyPath | None, Option("--istioctl", "FILE", "istioctl, for its analysis.", TARGET)] = None
    allow_mesh_wide: Annotated[
        bool, Option("--allow-mesh-wide", "", "Also run controls that change the whole live mesh.", TARGET)
    ] = False
    workers: Annotated[Whole, Option("-n/--workers", "N", "Test processes; 0: none.", pytest=False)] = Field(
        default=0, ge=0, le=64
    )
    shuffle: Annotated[Whole | None, Option("--shuffle", "SEED", "Random order, the same for the same seed.")] = None
    enforce: Annotated[bool, Option("--enforce", "", "A missing capability is a failure, not a skip.")] = False
    keep: Annotated[bool, Option("--keep", "", "Stop at the first failure and leave its objects.")] = False
    out: Annotated[AnyPath, Option("--out", "FOLDER", "Where folders of runs are created.")] = ROOT / "reports" / "out"
    upload: Annotated[
        str,
        Option("--upload", "s3://BUCKET/PREFIX", "Copy the reports there when the run has ended.", pytest=False),
    ] = ""
    notify: Annotated[
        Notify, Option(notify_settings.OPTION, "URL", "Webhook that gets what is new of the run.", pytest=False)
    ] = Notify()
    metrics: Annotated[
        AnyPath | None, Option("--metrics", "FILE", "Write metrics for Prometheus there as well.", pytest=False)
    ] = None
    ingress_address: Address = ""
    ingress: Ingress = Ingress()
    skip_preflight: Annotated[
        bool, Option("--skip-preflight", "", "Do not try what the cluster does before the first case.", TARGET)
    ] = False
    ready_s: Annotated[Number, Option("--ready", "S", "Seconds for workloads, load balancers and deletions.")] = Field(
        default=120.0, gt=0, le=DAY_S
    )
    image_prefix: Annotated[
        str,
        Option("--image-prefix", "PREFIX", "Mirror that has all images, instead of their registries.", TARGET),
        formed(MIRROR, "a registry without a scheme, and a path in small letters: mirror.example.com/all"),
    ] = ""
    images: Images = Images()
    namespaces: Namespaces = Namespaces()
    pods: Pods = Pods()
    egress: Egress = Egress()
    external: External = External()
    identity: Identity = Identity()
    iap: Identity = Identity()
    signing_key: Annotated[
        AnyPath | None, Option("--signing-key", "FILE", "Private key that signs the reports (docs/report.md).")
    ] = None
    archives: tuple[AnyPath, ...] = ()
    known_failures: tuple[KnownEntry, ...] = ()

    @model_validator(mode="after")
    def _files_are_there(self) -> Self:
        for name in ("istioctl", "signing_key"):
            if (path := getattr(self, name)) and not path.is_file():
                raise ValueError(f"{name} names {path}, which is no file")
        return self

    def handed(self) -> dict[str, str]:
        """The variable that passes these settings to a test process, its only source. Not for a command line."""
        return {SETTLED_VARIABLE: json.dumps(self.for_tests())}

    def for_tests(self) -> dict[str, Any]:
        """As JSON values, without what no test process needs and none should know."""
        return self.model_dump(mode="json", exclude={"notify"})


class _FromSources(Settings, BaseSettings):
    """The settings, composed of all their sources."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line (the arguments), environment, file; no dotenv, no secrets folder."""
        return (init_settings, env_settings, InitSettingsSource(settings_cls, _from_file()))


def load(given: Mapping[str, Any] | None = None) -> Settings:
    """The settings of this process. `given` holds the options of the command line; None means 'not given'.

    Raises:
        SettingsError: a name is unknown, a value cannot be used, or the file cannot be read.
    """
    explicit = {name: value for name, value in (given or {}).items() if value is not None}
    if "notify" in explicit:  # the option has the address alone; the rest may be in the file
        explicit["notify"] = {"url": explicit["notify"]}
    described = options(Settings)
    refuse_empty({described[name].flags: explicit[name] for name in CLUSTER if name in explicit})
    try:
        if settled := os.environ.get(SETTLED_VARIABLE):
            return Settings.model_validate({**json.loads(settled), **explicit})
        known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | NOT_SETTINGS
        refuse_unknown_variables(os.environ, known, PREFIX)
        variables = [f"{PREFIX}{name.upper()}" for name in CLUSTER if name not in explicit]
        refuse_empty({variable: os.environ.get(variable) for variable in variables})
        return Settings.model_construct(**dict(_FromSources(**explicit)))
    except ValidationError as error:
        raise explain(error, Settings) from None
    except SourceError as error:
        raise section_given_whole(str(error), os.environ, PREFIX, Settings) from None


def _from_file() -> dict[str, Any]:
    """The values of the file; its relative paths count from its own folder."""
    path = settings_file()
    if path is None:
        return {}
    return anchored(toml_file.values(path, "the settings file"), Settings, path.absolute().parent)


def settings_file() -> Path | None:
    """The file that `MESHPROOF_CONFIG` names, or `meshproof.toml` in the working folder or the checkout.

    Raises:
        SettingsError: the named file does not exist.
    """
    named = os.environ.get(FILE_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise SettingsError(f"{FILE_VARIABLE} names {named}, which is no file", "name an existing file or unset it")
        return Path(named)
    return next((path for path in (Path.cwd() / FILE_NAME, ROOT / FILE_NAME) if path.is_file()), None)
