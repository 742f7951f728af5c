"""A person cancels a run: a real browser presses the UI's own button, in both of its versions."""

from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.states import Scheduled

from flows import server

from .servers import client, deployment, eventually, serving
from .test_browser import browser, page  # noqa: F401 - fixtures
from .truth import check_lock_is_true, here, rows

pytestmark = [pytest.mark.pipeline, pytest.mark.browser, pytest.mark.nightly, pytest.mark.timeout(1200)]
DVC_AND_STAGE = ("work.py", "--single-item")


def press_cancel(page: Any, address: str, ui: str) -> None:  # noqa: F811 - not the fixture
    """What a person does on the page of a run; the newer UI hides the button in a menu."""
    page.goto(address)
    if ui == "/v2":
        page.get_by_role("button", name="Open menu").click()
        page.get_by_role("menuitem", name="Cancel").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Cancel Flow Run").click()
    else:
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("button", name="Confirm", exact=True).click()


def at_work(checkout: Path) -> list[psutil.Process]:
    """The processes of a run in the checkout: DVC, and the stage with its own children."""
    return [one for one in here(checkout) if any(mark in word for word in one.cmdline() for mark in DVC_AND_STAGE)]


# The second is the one that opens where an address names no page.
@pytest.mark.parametrize("ui", ["", "/v2"])
def test_the_cancel_button_ends_the_run_and_all_its_processes(served_checkout: Path, page: Any, ui: str):  # noqa: F811
    (served_checkout / "source.txt").write_text(f"cancelled in {ui}")
    (served_checkout / "first.order").write_text("sleep")
    (served_checkout / "first.pids").unlink(missing_ok=True)
    before = rows(served_checkout)
    with serving(served_checkout) as (_, port), client(port) as api:
        asked = deployment(api, "on-demand").id
        run = api.create_flow_run_from_deployment(asked, state=Scheduled())
        eventually((served_checkout / "first.pids").exists)
        stage = [psutil.Process(int(pid)) for pid in (served_checkout / "first.pids").read_text().split()]
        busy = [*at_work(served_checkout), *stage]
        assert len(busy) >= 4
        press_cancel(page, f"{server.ui_url(port)}{ui}/runs/flow-run/{run.id}", ui)
        eventually(lambda: api.read_flow_run(run.id).state_name == "Cancelled")
        page.get_by_text("Cancelled", exact=True).first.wait_for()
        _, alive = psutil.wait_procs(busy, timeout=60)
        assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
        assert at_work(served_checkout) == []
        assert rows(served_checkout) == before
        check_lock_is_true(served_checkout)
        (served_checkout / "first.order").unlink()
        again = api.create_flow_run_from_deployment(asked, state=Scheduled())
        eventually(lambda: api.read_flow_run(again.id).state_name == "Completed")
        check_lock_is_true(served_checkout)
        assert set(rows(served_checkout)) == {"first", "left", "right", "last"}
