"""Copies the folder of a run to a bucket, and what earlier runs showed from it.

It is S3, or another store with its interface (MinIO, Ceph, Google's HMAC keys).

Where the bucket is, and who may write to it, is found as Amazon's own programs find it: `AWS_ENDPOINT_URL_S3`,
`AWS_REGION`, `AWS_ACCESS_KEY_ID` and so on, a shared credentials file, or the identity of the pod or machine. No
message and no report names a credential.
"""

from __future__ import annotations

import mimetypes
import os
import re
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.providers import AWSConfigProvider, ChainedProvider, EnvAWSProvider, IamAwsProvider
from minio.error import MinioException, S3Error

from clients.model.errors import SettingsError
from reports.bucket_address import KEY, is_bucket, is_service, roots
from reports.record.model import ReportError

_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.()/-]*)?")
"""Names of buckets as Amazon S3 has them, and paths that need no escaping."""
AMAZON = "https://s3.amazonaws.com"
CONNECT_S, READ_S, TRIES = 5.0, 60.0, 3
LOOKED_AT = 100
"""Runs that are looked at, the newest first: those of other clusters may be there too."""
HEAD = 512 * 1024
"""Bytes at the beginning of a `conformance.json` that say of which cluster it is."""
_FIRST = ("conformance.json", "index.html")
"""Files that matter most are copied first."""
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_REGION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?")
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_WRITE, _READ = "s3:PutObject", "s3:ListBucket and s3:GetObject"
_HINTS = {
    "InvalidAccessKeyId": "see AWS_ACCESS_KEY_ID",
    "NoSuchBucket": "make it, or see AWS_ENDPOINT_URL_S3",
    "SignatureDoesNotMatch": "see AWS_SECRET_ACCESS_KEY and AWS_REGION",
}


@dataclass(frozen=True)
class Bucket:
    """A place for reports.

    Attributes:
        name, prefix: of `s3://NAME/PREFIX`; the prefix has no slash at its ends.
        endpoint: address of the service.
        region: empty where it has to be asked for.
        roots: PEM file of the authorities that may sign the service's certificate.
    """

    name: str
    prefix: str
    endpoint: str
    region: str
    roots: str

    @classmethod
    def of(cls, url: str, environment: Mapping[str, str] = os.environ) -> Bucket:
        """The bucket that `s3://BUCKET/PREFIX` names.

        Raises:
            SettingsError: it is no such URL, or the service's address, its region or a key cannot be used. The message
                quotes no address and no key, as people write credentials into both.
        """
        name, _, prefix = url.removeprefix("s3://").partition("/")
        if not (_URL.fullmatch(url) and is_bucket(name)):
            raise SettingsError("the setting upload names no bucket", "give it as s3://BUCKET/PREFIX")
        endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or AMAZON
        if not is_service(endpoint):
            raise SettingsError(
                "AWS_ENDPOINT_URL_S3 is not the address of a service", "give it as https://HOST:PORT, with no path"
            )
        region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""
        if region and not _REGION.fullmatch(region):
            raise SettingsError(f"{region!r} is no region", "see AWS_REGION")
        for variable in _KEYS:
            if not KEY.fullmatch(environment.get(variable, "")):
                raise SettingsError(
                    f"{variable} has a character that no key has", "such as the end of a line, which `echo` adds"
                )
        return cls(name, prefix.strip("/"), endpoint.rstrip("/"), region, roots(environment))

    def __str__(self) -> str:
        return "/".join(filter(None, (f"s3://{self.name}", self.prefix)))

    def look(self) -> None:
        """Report what would keep reports out of it, as far as it shows without writing.

        Raises:
            SettingsError: there is no such bucket, no credential, or no such service.
        """
        with self._explained(lambda text, hint: SettingsError(text, hint)):
            try:
                found = self._client().bucket_exists(self.name)
            except S3Error as error:
                if error.code == "AccessDenied":
                    return  # an identity that may only write
                raise
        if not found:
            raise SettingsError(f"there is no bucket {self.name} at {self.endpoint}", _HINTS["NoSuchBucket"])

    def put(self, folder: Path) -> str:
        """Copy all files of a folder below its own name; returns where they are.

        Raises:
            ReportError: the service does not answer, or refuses it. What was copied before stays there.
        """
        place = "/".join(filter(None, (self.prefix, folder.name)))
        with self._explained(lambda text, hint: ReportError(text, hint)):
            client = self._client()
            for file in _files(folder):
                kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
                inside = file.relative_to(folder).as_posix()
                client.fput_object(self.name, f"{place}/{inside}", str(file), content_type=kind)
        return f"s3://{self.name}/{place}"

    def put_file(self, folder: Path, name: str) -> None:
        """Copy one more file of a folder. Raises as `put` does."""
        place = "/".join(filter(None, (self.prefix, folder.name, name)))
        with self._explained(lambda text, hint: ReportError(text, hint)):
            self._client().fput_object(self.name, place, str(folder / name))

    def fetch(
        self,
        out: Path,
        files: Sequence[str],
        since: str,
        most: int,
        of: Callable[[bytes], str] = lambda _: "all",
        *,
        several: bool = False,
    ) -> int:
        """Copy these files of the newest runs from it, each into the folder of its run; returns how many runs.

        Args:
            files: names in the folder of a run; a run without the first one is left out.
            since: the first id of a run that is looked for.
            most: number of runs of each cluster.
            of: the beginning of the first file → a name of the run's cluster; empty where the run is not wanted.
            several: `of` may name more clusters than one; else nothing more is asked for after `most` runs of it.

        Raises:
            ReportError: the service does not answer, or refuses it.
        """
        above = f"{self.prefix}/" if self.prefix else ""
        with self._explained(lambda text, hint: ReportError(text, hint), "shows no earlier runs", _READ):
            client = self._client()
            listed = client.list_objects(self.name, prefix=above, start_after=f"{above}{since}")
            names = [
                one.object_name.removeprefix(above).rstrip("/") for one in listed if one.is_dir and one.object_name
            ]
            found: Counter[str] = Counter()
            newest = sorted((name for name in names if RUN_ID.fullmatch(name)), reverse=True)
            for run in newest[:LOOKED_AT]:
                there = {one.object_name for one in client.list_objects(self.name, prefix=f"{above}{run}/")}
                wanted = [name for name in files if f"{above}{run}/{name}" in there]
                if files[0] not in wanted:
                    continue
                cluster = of(self._head(client, f"{above}{run}/{files[0]}"))
                if not cluster or found[cluster] == most:
                    continue
                for name in wanted:
                    client.fget_object(self.name, f"{above}{run}/{name}", str(out / run / name))
                found[cluster] += 1
                if found[cluster] == most and not several:
                    break
        return found.total()

    def _head(self, client: Minio, name: str) -> bytes:
        """The beginning of an object."""
        answer = client.get_object(self.name, name, length=HEAD)
        try:
            return answer.read(HEAD)
        finally:
            answer.close()
            answer.release_conn()

    def _client(self) -> Minio:
        pool = self._pool(TRIES)
        identity = IamAwsProvider(http_client=self._pool(0), region=self.region or None)
        credentials = ChainedProvider([EnvAWSProvider(), AWSConfigProvider(), identity])
        parts = urlsplit(self.endpoint)
        return Minio(
            parts.netloc,
            secure=parts.scheme == "https",
            region=self.region or None,
            credentials=credentials,
            http_client=pool,
        )

    def _pool(self, tries: int) -> urllib3.PoolManager:
        retries = urllib3.Retry(total=tries, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504))
        timeout = urllib3.Timeout(connect=CONNECT_S, read=READ_S)
        return urllib3.PoolManager(timeout=timeout, retries=retries, ca_certs=self.roots)

    @contextmanager
    def _explained(
        self, error: Callable[[str, str], Exception], what: str = "refuses the reports", denied: str = _WRITE
    ) -> Iterator[None]:
        """Turn what the client library raises into one line."""
        try:
            yield
        except S3Error as problem:
            hints = {**_HINTS, "AccessDenied": f"the identity needs {denied} there"}
            hint = hints.get(problem.code or "", "see the service's own log")
            raise error(f"{self} at {self.endpoint} {what} ({problem.code})", hint) from None
        except (MinioException, urllib3.exceptions.HTTPError, ssl.SSLError, OSError) as problem:
            text = f"{self} at {self.endpoint} cannot be reached: {_reason(problem)}"
            raise error(text, "see AWS_ENDPOINT_URL_S3, and the network") from None
        except ValueError:  # by all providers in turn; their own texts name only the last one
            hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the pod an identity"
            raise error(f"no credential for {self} was found", hint) from None


def _files(folder: Path) -> list[Path]:
    """All of them, the most important ones first."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sorted(found, key=lambda path: (path.name not in _FIRST or path.parent != folder, path))


def _reason(problem: BaseException) -> str:
    """The cause, without the internals of the library that found it."""
    inner = getattr(problem, "reason", None) or problem
    return str(inner).rpartition(": ")[2].rstrip(")") or type(inner).__name__
