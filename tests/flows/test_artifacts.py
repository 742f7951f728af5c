"""What a person sees of a run, on a real Prefect server."""

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.states import Completed, Failed

from flows import artifacts
from flows.pipeline import pipeline

pytestmark = pytest.mark.pipeline
REFUSED = {
    "released": False,
    "reason": "attacks on the synthetic data name too many members",
    "purpose": "share",
    "set": None,
    "rules": [],
}


def artifact(key: str):
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    assert found, f"no artifact {key}"
    return found[-1]


def test_a_log_line_moves_one_progress_artifact(prefect_server: None):
    @flow
    def watch() -> None:
        progress = artifacts.Progress("train_gan")
        for line in ("hello", "progress gan-steps 1/4", "progress gan-steps 3/4"):
            progress.see(line)

    watch()
    assert artifact("train-gan-progress-gan-steps").data == 75.0


def test_metrics_become_a_table_and_plots_pictures(tmp_path: Path, prefect_server: None):
    (tmp_path / "metrics.json").write_text('{"dti_accuracy": 0.94}')
    Figure().savefig(tmp_path / "prototypes.png")

    @flow
    def show() -> None:
        artifacts.publish("cluster", tmp_path)

    show()
    assert json.loads(str(artifact("cluster-metrics").data)) == [{"metric": "dti_accuracy", "value": 0.94}]
    assert "![prototypes of cluster](data:image/png;base64,iVBOR" in str(artifact("cluster-pictures").data)


def test_a_refused_release_is_a_completed_run_in_a_state_of_that_name(
    project: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(artifacts, "verdict_markdown", lambda verdict: verdict["reason"])
    Path("work.py").write_text(f"""
import json, pathlib
pathlib.Path("data/release").mkdir(parents=True, exist_ok=True)
pathlib.Path("data/release/verdict.json").write_text(json.dumps({REFUSED!r}))
""")
    Path("dvc.yaml").write_text(
        "stages: {release: {cmd: python work.py, deps: [work.py], outs: [data/release/verdict.json]}}"
    )
    state = pipeline(deploy_to=None, return_state=True)
    assert state.is_completed()
    assert state.name == "Refused"
    assert state.message == f"refused, because {REFUSED['reason']}"
    assert artifact("verdict").data == REFUSED["reason"]


def test_a_failed_run_says_what_failed_and_that_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    artifacts.say_end(Failed(message="ingest failed: source missing"), tmp_path)
    said = capsys.readouterr().out
    assert "ingest failed: source missing" in said
    assert "finished stages are kept" in said


def test_a_completed_run_says_where_the_report_is_and_what_to_type_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    artifacts.say_end(Completed(message="13 steps done"), tmp_path)
    said = capsys.readouterr().out
    assert "index.html" in said
    assert "make serve" in said


def test_a_refused_run_says_so_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    artifacts.say_end(Completed(name="Refused", message="refused, because the rule X does not hold"), tmp_path)
    assert "Refused, because the rule X does not hold" in capsys.readouterr().out
