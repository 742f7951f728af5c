"""Releases in an S3 bucket, with conditional writes: the same store as a folder, for several machines.

Credentials and endpoint come from the standard AWS chain alone (environment, files, instance). A service that ignores
the conditions (some do) is refused by `flows.deploy`, which tries it first.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from boto3 import Session
from boto3.exceptions import Boto3Error, S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from mintmark.errors import BadInput
from mintmark.release.storage import POINTER, Pointer

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 60, 3
_CHUNK = 1 << 20
_CONDITION_FAILED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_ABSENT = {"NoSuchKey", "404"}
_NO_RIGHTS = {"AccessDenied", "403"}
_NOT_KNOWN = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}


class S3Store:
    """A prefix of a bucket."""

    def __init__(self, url: str) -> None:
        """Raises BadInput where the URL names no bucket."""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise BadInput(f"{url}: expected s3://bucket or s3://bucket/prefix")
        self.url, self.bucket, self.prefix = url, parts.netloc, parts.path.strip("/")
        with self._one_line():
            session = Session()  # the default session is shared, and not safe with threads
            self.client = _client(session, attempts=ATTEMPTS)
            # A conditional write that is sent again after a lost answer would lose against itself.
            self.conditional_client = _client(session, attempts=1)

    def put(self, key: str, path: Path) -> None:
        """Upload a file, in parts where it is large."""
        with self._one_line():
            try:
                self.client.upload_file(str(path), self.bucket, self._key(key))
            except S3UploadFailedError as error:
                if isinstance(error.__context__, ClientError):
                    raise error.__context__ from None  # what the service answered, without the names of our files
                raise

    def create(self, key: str, content: bytes) -> bool:
        """Write a key that must not exist yet (If-None-Match: *)."""
        return self._put_if(key, content, IfNoneMatch="*")

    def read(self, key: str) -> bytes | None:
        """The bytes under a key; None where there are none."""
        with self._one_line():
            found = self._get(key)
            return None if found is None else found["Body"].read()

    def sha256(self, key: str) -> str | None:
        """The sha256 of the bytes under a key, downloaded in chunks; None where there are none."""
        with self._one_line():
            found = self._get(key)
            if found is None:
                return None
            digest = hashlib.sha256()
            for chunk in found["Body"].iter_chunks(_CHUNK):
                digest.update(chunk)
            return digest.hexdigest()

    def read_pointer(self) -> Pointer | None:
        """The pointer; its token is the object's ETag."""
        with self._one_line():
            found = self._get(POINTER)
            return None if found is None else Pointer(found["Body"].read(), found["ETag"])

    def swap_pointer(self, content: bytes, *, seen: Pointer | None) -> bool:
        """Compare and swap by If-Match, or If-None-Match: * where nothing was seen."""
        condition = {"IfNoneMatch": "*"} if seen is None else {"IfMatch": seen.token}
        return self._put_if(POINTER, content, **condition)

    def _put_if(self, key: str, content: bytes, **condition: str) -> bool:
        with self._one_line():
            try:
                self.conditional_client.put_object(Bucket=self.bucket, Key=self._key(key), Body=content, **condition)
            except ClientError as error:
                if _code(error) in _CONDITION_FAILED or ("IfMatch" in condition and _code(error) in _ABSENT):
                    return False
                raise
        return True

    def _get(self, key: str) -> dict[str, Any] | None:
        try:
            return self.client.get_object(Bucket=self.bucket, Key=self._key(key))
        except ClientError as error:
            if _code(error) in _ABSENT:
                return None
            raise

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        """Turn what goes wrong between us and the service into one line."""
        try:
            yield
        except NoCredentialsError as error:
            raise BadInput(
                f"{self.url}: expected AWS credentials in the environment or in ~/.aws, found none"
            ) from error
        except EndpointConnectionError as error:
            raise BadInput(
                f"{self.url}: expected an S3 service, could not reach {error.kwargs['endpoint_url']}"
            ) from error
        except ClientError as error:
            raise BadInput(f"{self.url}: {self._explained(_code(error), str(error))}") from error
        except (BotoCoreError, Boto3Error, OSError) as error:
            raise BadInput(f"{self.url}: expected an S3 service, got {' '.join(str(error).split())}") from error

    def _explained(self, code: str, text: str) -> str:
        if code == "NoSuchBucket":
            return f"expected a bucket {self.bucket!r}, found none"
        if code in _NOT_KNOWN:
            return f"expected AWS credentials that the service accepts, got {code}"
        if code in _NO_RIGHTS:
            return f"expected the rights s3:GetObject, s3:PutObject and s3:ListBucket, got {code}"
        return f"expected an S3 service, got {' '.join(text.split())}"


def _client(session: Session, *, attempts: int) -> Any:
    """A client of the standard AWS chain, with deadlines."""
    retries: Any = {"total_max_attempts": attempts, "mode": "standard"}
    return session.client(
        "s3", config=Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=retries)
    )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
