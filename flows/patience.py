"""A run outlives its server's restart: every client tries again, also one that has not reached the server before.

Prefect's clients give up at once where their first call finds nobody, so that a wrong address is noticed. A run makes new
clients all the time, though, one for each task and artifact; in a run that has had a server, a refused connection
means that the server is being started again.
"""

from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient


def try_again_from_the_first_call() -> None:
    """Let every client that is made in this process from now on take its server for one that it knows."""
    known = property(lambda _: True, lambda _, __: None)
    for client in (PrefectHttpxAsyncClient, PrefectHttpxSyncClient):
        client._has_connected = known  # type: ignore[assignment] # noqa: SLF001 - Prefect has no setting for it
