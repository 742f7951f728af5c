"""Read-only pages of what was released, so that a person can follow a link from the Prefect UI to the report and the bundle.

A browser does not follow a link from a web page to a file. Only data/release is shown, of this checkout and of its
workspaces; the report may show real records, so it is served to this machine alone.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from flows.workspace import WORKSPACES

HOST = "127.0.0.1"
RELEASE = Path("data/release")


class _Handler(SimpleHTTPRequestHandler):
    def send_head(self) -> BytesIO | BinaryIO | None:
        """What answers GET and HEAD, for whoever typed this machine's own name."""
        name = self.headers.get("Host", "").partition(":")[0]
        if name not in {HOST, "localhost"}:  # a page elsewhere may not read this one through a name of its own
            self.send_error(HTTPStatus.FORBIDDEN, "Only this machine may read this")
            return None
        return super().send_head()

    def translate_path(self, path: str) -> str:
        """The file that an address stands for; none outside data/release has one."""
        checkout = Path(self.directory)
        inside = Path(super().translate_path(path)).relative_to(checkout)
        if len(inside.parts) > 1 and inside.parts[0] == "workspaces":
            folder = checkout / WORKSPACES / inside.parts[1] / RELEASE
            found = folder.joinpath(*inside.parts[2:])
        else:
            found = checkout / RELEASE / inside
        return f"{found}/" if path.endswith("/") else str(found)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: a request is not news."""


@contextmanager
def report_server(checkout: Path, port: int) -> Iterator[str]:
    """Serve a checkout's releases for as long as the block lasts, and yield the address of the newest report.

    Raises:
        RuntimeError: the port is taken.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(checkout.resolve())))
    except OSError as error:
        raise RuntimeError(
            f"port {port} of {HOST} is taken by another program; choose another --report-port"
        ) from error
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def address(base: str, folder: Path) -> str:
    """Where the release of a run that works in `folder` (the checkout, or a workspace of it) is shown."""
    return f"{base}workspaces/{folder.name}/" if folder.parent.name == WORKSPACES.name else base
