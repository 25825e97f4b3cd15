"""Reports in a bucket: which one, by which identity, and errors. A server here answers as S3 does.

A real server of S3's interface takes the reports of a run in `tests/e2e/test_bucket.py`.
"""

from __future__ import annotations

import http.server
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from minio.credentials.providers import AWSConfigProvider, IamAwsProvider
from report_samples import sample_report

from clients.model.errors import SettingsError
from reports.bucket import Bucket
from reports.record import conformance
from reports.record.model import ReportError, TargetInfo
from runner.commands import uploading
from runner.config.settings import Settings
from runner.target import targets

pytestmark = pytest.mark.unit

KEY, SECRET = "AKIDEXAMPLE", "a-secret-of-nobody"


@dataclass
class Service:
    """Takes objects, or refuses each with a code of S3.

    Attributes:
        objects: path → (kind, content).
        refuses: code; empty where nothing is refused.
    """

    url: str = ""
    objects: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    refuses: str = ""
    status: int = 403
    signed: list[str] = field(default_factory=list)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    state = Service()

    class BucketHandler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(state.status if state.refuses else 200)

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if state.refuses:
                self._answer(state.status, f"<Error><Code>{state.refuses}</Code></Error>".encode())
                return
            state.objects[self.path] = (self.headers["Content-Type"], content)
            state.order.append(self.path)
            self._answer(200)

        def do_GET(self) -> None:
            place, _, query = self.path.partition("?")
            if state.refuses:
                self._answer(state.status, f"<Error><Code>{state.refuses}</Code></Error>".encode())
            elif "list-type" in query:
                self._answer(200, listing(place.strip("/"), dict(urllib.parse.parse_qsl(query)), sorted(state.objects)))
            else:
                self._answer(200, state.objects[place][1])

        def _answer(self, code: int, body: bytes = b"") -> None:
            state.signed.append(self.headers.get("Authorization", ""))
            self.send_response(code)
            self.send_header("Content-Type", "application/xml")
            self.send_header("ETag", '"0"')
            self.send_header("Last-Modified", "Sat, 28 Nov 2026 02:17:00 GMT")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), BucketHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        for name, value in {
            "AWS_ENDPOINT_URL_S3": state.url,
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }.items():
            monkeypatch.setenv(name, value)
        yield state
        server.shutdown()


def listing(bucket: str, asked: dict[str, str], paths: list[str]) -> bytes:
    """Answer of ListObjectsV2: objects, and with a delimiter folders."""
    prefix, after = asked.get("prefix", ""), asked.get("start-after", "")
    keys = [path.removeprefix(f"/{bucket}/") for path in paths if path.startswith(f"/{bucket}/{prefix}")]
    keys = [key for key in keys if key > after]
    within = [key.removeprefix(prefix) for key in keys]
    folders = sorted({one.partition("/")[0] for one in within if "/" in one}) if asked.get("delimiter") else []
    plain = [key for key, rest in zip(keys, within, strict=True) if not (folders and "/" in rest)]
    made = [f"<Contents><Key>{key}</Key><Size>1</Size><ETag>0</ETag></Contents>" for key in plain]
    made += [f"<CommonPrefixes><Prefix>{prefix}{name}/</Prefix></CommonPrefixes>" for name in folders]
    return f"<ListBucketResult><Name>{bucket}</Name>{''.join(made)}</ListBucketResult>".encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "20261128-021700-3fa9"
    for name in ("index.html", "conformance.json", "diagnostics/a/b.log", "allure-results/x.json"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    return made


def test_every_file_is_copied_below_the_runs_name_with_its_kind(service: Service, folder: Path) -> None:
    bucket = Bucket.of("s3://proofs/nightly/a/")
    bucket.look()
    assert bucket.put(folder) == f"s3://proofs/nightly/a/{folder.name}"
    place = f"/proofs/nightly/a/{folder.name}"
    assert service.objects == {
        f"{place}/conformance.json": ("application/json", b"conformance.json"),
        f"{place}/index.html": ("text/html", b"index.html"),
        f"{place}/allure-results/x.json": ("application/json", b"allure-results/x.json"),
        f"{place}/diagnostics/a/b.log": ("application/octet-stream", b"diagnostics/a/b.log"),
    }
    assert service.order[:2] == [f"{place}/conformance.json", f"{place}/index.html"]
    assert all(KEY in one and SECRET not in one for one in service.signed)


@pytest.mark.parametrize("prefix", ["", "/"])
def test_a_bucket_without_a_prefix(prefix: str, service: Service, folder: Path) -> None:
    assert Bucket.of(f"s3://proofs{prefix}").put(folder) == f"s3://proofs/{folder.name}"
    assert f"/proofs/{folder.name}/index.html" in service.objects


@pytest.mark.parametrize(
    "url",
    [
        *("proofs", "s3://", "s3://a", "s3://key:secret@proofs", "https://proofs", "s3://p/a b"),
        *("s3://proofs..a", "s3://192.168.1.1", "s3://a.-b"),
    ],
)
def test_what_is_no_bucket_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(SettingsError, match="give it as s3://BUCKET/PREFIX") as refused:
        Bucket.of(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        *("proofs:9000", "ftp://proofs", "https://key:secret@proofs", "https://proofs/path"),
        *(
            "https://[proofs",
            "https://proofs:port",
            "https://proofs:99999",
            "https://pro ofs",
            "https://proofs?a=secret",
        ),
        "https://proofs/\nsecret",
    ],
)
def test_what_is_no_service_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(SettingsError, match="AWS_ENDPOINT_URL_S3 is not the address") as refused:
        Bucket.of("s3://proofs", {"AWS_ENDPOINT_URL_S3": url})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("end", ["\n", " ", "ü"])
def test_a_key_with_the_end_of_a_line_is_named_and_not_quoted(
    name: str, end: str, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    """As a Secret has it that was made by `echo`. "No credential was found" it said, or that the secret is wrong."""
    monkeypatch.setenv(name, f"geheim{end}")
    with pytest.raises(SettingsError, match=f"{name} has a character that no key has") as refused:
        Bucket.of("s3://proofs")
    assert "geheim" not in str(refused.value)
    assert not service.signed


def test_a_region_or_authorities_that_cannot_be_used_are_named() -> None:
    with pytest.raises(SettingsError, match="'e u' is no region; see AWS_REGION"):
        Bucket.of("s3://proofs", {"AWS_REGION": "e u"})
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        with pytest.raises(SettingsError, match=f"{name} names /nowhere, which is no file"):
            Bucket.of("s3://proofs", {name: "/nowhere"})


def test_without_an_address_it_is_amazons() -> None:
    assert Bucket.of("s3://proofs/x", {}).endpoint == "https://s3.amazonaws.com"
    assert Bucket.of("s3://proofs", {"AWS_DEFAULT_REGION": "eu-west-1"}).region == "eu-west-1"


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("SignatureDoesNotMatch", "see AWS_SECRET_ACCESS_KEY"),
        ("AccessDenied", "s3:PutObject"),
        ("NoSuchBucket", "make it"),
        ("QuotaExceeded", "the service's own log"),
    ],
)
def test_a_refusal_is_one_line_without_a_credential(code: str, hint: str, service: Service, folder: Path) -> None:
    service.refuses = code
    with pytest.raises(ReportError) as refused:
        Bucket.of("s3://proofs").put(folder)
    text = str(refused.value)
    assert f"s3://proofs at {service.url} refuses the reports ({code})" in text
    assert hint in text
    assert "\n" not in text
    assert KEY not in text
    assert SECRET not in text


def test_a_bucket_that_is_not_there_is_named_before_the_run(service: Service) -> None:
    service.refuses, service.status = "NoSuchBucket", 404
    with pytest.raises(SettingsError, match=r"there is no bucket proofs at http://127\.0\.0\.1"):
        Bucket.of("s3://proofs").look()


def test_an_identity_that_may_only_write_is_no_mistake(service: Service) -> None:
    service.refuses = "AccessDenied"
    Bucket.of("s3://proofs").look()


def test_a_service_that_is_down_is_one_line(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    with pytest.raises(SettingsError, match=r"cannot be reached: \[Errno \d+\] Connection refused; see AWS"):
        Bucket.of("s3://proofs").look()


def test_without_a_credential_the_line_says_which(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    for provider in (AWSConfigProvider, IamAwsProvider):
        monkeypatch.setattr(provider, "retrieve", _none)
    with pytest.raises(SettingsError, match="no credential for s3://proofs was found; set AWS_ACCESS_KEY_ID"):
        Bucket.of("s3://proofs").look()


def _none(_: object) -> None:
    raise ValueError("none")


# -- after a run


def run(folder: Path, code: int) -> int:
    return uploading.after(lambda: code, folder, uploading.bucket(Settings(upload="s3://proofs")))


@pytest.mark.parametrize("code", [0, 1, 3, 130])
def test_a_run_keeps_its_exit_code(code: int, service: Service, folder: Path) -> None:
    assert run(folder, code) == code
    assert len(service.objects) == 4


@pytest.mark.parametrize(("code", "due"), [(0, 2), (1, 1), (3, 3), (130, 130)])
def test_a_copy_that_fails_costs_no_report_and_hides_no_failure(
    code: int, due: int, service: Service, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = uploading.bucket(Settings(upload="s3://proofs"))
    service.refuses = "AccessDenied"
    assert uploading.after(lambda: code, folder, bucket) == due
    assert (folder / "index.html").exists()
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(f"; the reports are in {folder}")


def test_what_a_full_disk_left_is_copied_too(service: Service, folder: Path) -> None:
    def conduct() -> int:
        raise ReportError("not all could be written")

    with pytest.raises(ReportError):
        uploading.after(conduct, folder, Bucket.of("s3://proofs"))
    assert len(service.objects) == 4


NIGHTS = ("20261125-021700-aaaa", "20261126-021700-bbbb", "20261127-021700-cccc", "20261128-021700-dddd")


def with_runs(service: Service, prefix: str = "nightly/") -> None:
    """Four runs, the last of which has no report; of the one before the news did not arrive. And what is no run."""
    names = [f"{night}/{name}" for night in NIGHTS[:3] for name in ("conformance.json", "index.html")]
    names += [f"{NIGHTS[3]}/index.html", f"{NIGHTS[2]}/not-notified", "../x/conformance.json", "other/conformance.json"]
    service.objects = {f"/proofs/{prefix}{name}": ("", name.encode()) for name in names}


@pytest.mark.parametrize("prefix", ["nightly/", ""])
def test_what_the_newest_runs_showed_is_fetched(prefix: str, service: Service, tmp_path: Path) -> None:
    """Where every run began with an empty folder, all that was bad was news each night."""
    with_runs(service, prefix)
    bucket = Bucket.of(f"s3://proofs/{prefix}")
    assert bucket.fetch(tmp_path, ("conformance.json", "not-notified"), "20261101", 2) == 2
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {f"{NIGHTS[1]}/conformance.json", f"{NIGHTS[2]}/conformance.json", f"{NIGHTS[2]}/not-notified"}
    assert bucket.fetch(tmp_path / "later", ("conformance.json",), "20261127", 9) == 1


def test_earlier_runs_are_fetched_where_none_is_here(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_runs(service)
    monkeypatch.setattr(uploading, "DAYS", 100_000)
    wanted = Settings(upload="s3://proofs/nightly", out=tmp_path / "out")
    uploading.earlier(uploading.bucket(wanted), targets.of(wanted))
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(NIGHTS[:3])
    service.objects.clear()
    uploading.earlier(uploading.bucket(wanted), targets.of(wanted))
    assert len(list((tmp_path / "out").iterdir())) == 3, "there are some"


def report_at(hour: int, target: TargetInfo, tmp_path: Path) -> tuple[str, bytes]:
    """Id of a run at that hour, and its report."""
    report = sample_report()
    run = f"20261128-{hour:02}1700-aaaa"
    file = tmp_path / "report.json"
    conformance.save(replace(report, run=replace(report.run, id=run), target=target), file)
    return run, file.read_bytes()


OTHERS = [TargetInfo("live", cluster=f"other {number}") for number in range(5)] + [TargetInfo("live", context="prod")]


@pytest.mark.parametrize(
    ("given", "own"),
    [
        ({"cluster_name": "eu"}, [TargetInfo("live", context="any", cluster="eu"), TargetInfo("live", cluster="eu")]),
        ({"context": "eu"}, [TargetInfo("live", context="eu")]),
        ({"kubeconfig": "/nowhere"}, [TargetInfo("live", uid="aaaaaaaa-1"), TargetInfo("live", uid="bbbbbbbb-1")]),
    ],
)
def test_runs_of_other_clusters_below_the_same_prefix_take_no_place(
    given: dict[str, str],
    own: list[TargetInfo],
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The newest three were all of others, and what was bad was new each night."""
    monkeypatch.setattr(uploading, "DAYS", 100_000)
    for hour, target in enumerate([*own, *OTHERS]):
        run, content = report_at(hour, target, tmp_path)
        service.objects[f"/proofs/{run}/conformance.json"] = ("", content)
    wanted = Settings.model_validate({"upload": "s3://proofs", "out": tmp_path / "out", "target": "live", **given})
    uploading.earlier(uploading.bucket(wanted), targets.of(wanted))
    found = sorted(conformance.load(path).target.title for path in (tmp_path / "out").iterdir())
    assert found == sorted(one.title for one in own)


def test_of_one_cluster_three_runs_are_fetched(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "DAYS", 100_000)
    for hour in range(6):
        run, content = report_at(hour, TargetInfo("live", cluster="eu"), tmp_path)
        service.objects[f"/proofs/{run}/conformance.json"] = ("", content)
    wanted = Settings(upload="s3://proofs", out=tmp_path / "out", target="live", cluster_name="eu")
    uploading.earlier(uploading.bucket(wanted), targets.of(wanted))
    assert sorted(path.name[9:11] for path in (tmp_path / "out").iterdir()) == ["03", "04", "05"]


def test_older_runs_of_a_cluster_with_a_name_are_not_asked_for(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each night, before the first case, the beginnings of a hundred reports were read."""
    monkeypatch.setattr(uploading, "DAYS", 100_000)
    asked = []
    for number in (4, 9):
        for hour in range(number):
            run, content = report_at(hour, TargetInfo("live", cluster="eu"), tmp_path)
            service.objects[f"/proofs/{run}/conformance.json"] = ("", content)
        wanted = Settings(upload="s3://proofs", out=tmp_path / f"{number}", target="live", cluster_name="eu")
        before = len(service.signed)
        uploading.earlier(uploading.bucket(wanted), targets.of(wanted))
        asked.append(len(service.signed) - before)
    assert asked[0] == asked[1] > 3


@pytest.mark.parametrize(
    "head", [b"", b"{}", b'{\n"target": {,\n', b'{\n"target": {"kind": 3},\n', b'"target": {"kind": "li']
)
def test_a_beginning_that_shows_no_cluster(head: bytes) -> None:
    assert conformance.target_of(head) is None


@pytest.mark.parametrize("notifies", [True, False])
def test_an_identity_that_may_only_write_costs_no_run(
    notifies: bool, service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.refuses = "AccessDenied"
    url = {"url": "https://hooks.example.com/geheim"} if notifies else {}
    wanted = Settings.model_validate({"upload": "s3://proofs/nightly", "out": tmp_path, "notify": url})
    uploading.earlier(Bucket.of(wanted.upload), targets.of(wanted))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == notifies
    assert all("s3:ListBucket and s3:GetObject there; all that is bad counts as new" in line for line in lines)
    assert not any("geheim" in line or SECRET in line for line in lines)


def test_the_next_run_knows_by_the_bucket_that_news_did_not_arrive(
    service: Service, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = Bucket.of("s3://proofs/nightly")
    uploading.not_sent(folder, bucket)
    assert not service.objects
    (folder / "not-notified").touch()
    uploading.not_sent(folder, bucket)
    assert list(service.objects) == [f"/proofs/nightly/{folder.name}/not-notified"]
    service.refuses = "AccessDenied"
    uploading.not_sent(folder, bucket)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_without_the_setting_nothing_is_copied(folder: Path) -> None:
    assert uploading.bucket(Settings()) is None
    assert uploading.after(lambda: 3, folder, None) == 3
