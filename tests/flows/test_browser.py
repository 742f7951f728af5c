"""What a person sees in a real browser: the run's page, its artifacts, and the report."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from matplotlib.figure import Figure
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.states import Scheduled
from ruamel.yaml import YAML

from flows import server
from mintmark.evidence import Measurement, Report
from mintmark.release.gate import Policy, judge
from mintmark.release.page import everything, render
from mintmark.release.rules import parse_rule

from .servers import client, deployment, eventually, serving

pytestmark = [pytest.mark.pipeline, pytest.mark.browser]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PARAMS = YAML(typ="safe").load(Path(__file__).parents[2].joinpath("params.yaml").read_text(encoding="utf-8"))["release"]
DVC_YAML = """
stages:
  train_gan:
    cmd: python work.py train_gan
    deps: [work.py, ready/train_gan]
    outs: [data/train_gan/history.png]
    metrics: [data/train_gan/metrics.json]
  release:
    cmd: python work.py release
    deps: [data/train_gan/history.png, ready/release]
    outs: [data/release/verdict.json, data/release/index.html, data/release/bundle]
"""
WORK = """
import shutil, sys
stage = sys.argv[1]
print(f"a line in the log of {stage}", flush=True)
print(f"progress {stage}-steps 3/4", flush=True)
shutil.copytree(f"ready/{stage}", f"data/{stage}", dirs_exist_ok=True)
"""


@pytest.fixture(scope="module")
def verdict(stage_reports: Mapping[str, Report]) -> dict[str, Any]:
    """A refusal by the shipped rules, since the audit of the samples found nothing that it could be sure of."""
    own = Report(
        stage="release", measurements=(Measurement(name="real_records_found", value=3.0, unit="count", n=1797),)
    )
    policy = Policy(
        purpose="share",
        rules=tuple(parse_rule(rule) for rule in PARAMS["rules"]),
        sets=(("samples", "classifier"), ("samples",)),
    )
    return judge(policy, {**stage_reports, "release": own}).as_json()


@pytest.fixture(scope="module")
def watched(
    served_checkout: Path, verdict: dict[str, Any], stage_reports: Mapping[str, Report]
) -> Iterator[dict[str, str]]:
    """A served checkout in which one run has ended; the addresses of what it left."""
    ready = {stage: served_checkout / "ready" / stage for stage in ("train_gan", "release")}
    for folder in (*ready.values(), ready["release"] / "bundle"):
        folder.mkdir(parents=True)
    figure = Figure()
    figure.subplots().plot([1, 2, 3])
    figure.savefig(ready["train_gan"] / "history.png")
    (ready["train_gan"] / "metrics.json").write_text('{"discriminator_gap": 0.4}')
    page = render(title="Digits", verdict=verdict, evidence=everything(stage_reports), pictures=[], inside=True)
    (ready["release"] / "index.html").write_text(page)
    (ready["release"] / "verdict.json").write_text(json.dumps(verdict))
    (ready["release"] / "bundle" / "card.md").write_text("# A card")
    (served_checkout / "dvc.yaml").write_text(DVC_YAML)
    (served_checkout / "work.py").write_text(WORK)
    with serving(served_checkout) as (_, port), client(port) as api:
        asked = deployment(api, "on-demand")
        run = api.create_flow_run_from_deployment(asked.id, state=Scheduled())
        eventually(lambda: api.read_flow_run(run.id).state_name == "Refused")
        found = api.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id])))
        ui = server.ui_url(port)
        addresses = {str(one.key): f"/artifacts/artifact/{one.id}" for one in found}
        reports = json.loads((served_checkout / server.RECORD).read_text())["reports"]
        yield {"ui": ui, "run": f"/runs/flow-run/{run.id}", "reports": reports, **addresses}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page in a window of its own, which notes the hosts that it asks."""
    found = browser.new_page(viewport={"width": 1400, "height": 1000})
    found.set_default_timeout(30_000)
    found.hosts = set()
    found.on("request", lambda request: found.hosts.add(urlsplit(request.url).hostname))
    yield found
    if "MINTMARK_SCREENSHOTS" in os.environ:
        name = os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].partition(" ")[0].replace("/", "-")
        found.screenshot(path=Path(os.environ["MINTMARK_SCREENSHOTS"]) / f"{name}.png")
    found.close()


def shows(page: Any, *texts: str) -> None:
    for text in texts:
        page.get_by_text(text, exact=False).first.wait_for()


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_the_page_of_a_run_shows_stages_log_state_and_reason(watched: dict[str, str], page: Any, ui: str):
    page.goto(watched["ui"] + ui + watched["run"])
    shows(page, "Refused", "train_gan", "release", "a line in the log of train_gan", "refused, because")


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_the_verdict_is_a_table_and_links_lead_to_the_report(
    watched: dict[str, str], page: Any, verdict: dict[str, Any], ui: str
):
    page.goto(watched["ui"] + ui + watched["summary"])
    shows(page, "no real record is among the synthetic ones", "FAIL", "train_gan ran")
    assert page.get_by_role("link", name="The report, for anyone").first.get_attribute("href") == watched["reports"]
    rows = page.locator("table tr")
    assert rows.count() >= len(verdict["rules"]) + 1


def test_a_plot_is_a_picture_that_is_drawn(watched: dict[str, str], page: Any):
    page.goto(watched["ui"] + watched["train-gan-pictures"])
    picture = page.get_by_alt_text("history of train_gan")
    picture.wait_for()
    page.wait_for_function("document.querySelector('img[alt=\"history of train_gan\"]').naturalWidth > 0")


def test_progress_is_an_artifact_that_moved(watched: dict[str, str], page: Any):
    page.goto(watched["ui"] + watched["train-gan-progress-train-gan-steps"])
    shows(page, "train_gan: train_gan-steps", "75")


def test_the_report_and_the_bundle_open_and_ask_nobody_else(watched: dict[str, str], page: Any):
    page.goto(watched["reports"])
    shows(page, "Refused", "no real record is among the synthetic ones")
    assert page.hosts == {"127.0.0.1"}
    page.goto(watched["reports"] + "bundle/")
    shows(page, "card.md")
