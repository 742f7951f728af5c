"""What a person sees of a run: progress that moves, each stage's metrics and plots, the verdict, the closing words.

In the Prefect UI these are artifacts; at the end of a run in a terminal they are a table and three lines.
"""

import base64
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.schemas.objects import State
from rich.console import Console

from flows.stages import PROGRESS_LINE
from mintmark.files import read_json
from mintmark.release.report import verdict_markdown, verdict_table

PICTURE_BYTES = 2_000_000
LOG_WIDTH = 120  # columns of the closing table where no terminal says how wide it is


class Progress:
    """One progress artifact for each thing that a stage counts, moved by the lines of its log."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self._artifacts: dict[str, Any] = {}

    def see(self, line: str) -> None:
        """Move the artifact that this line speaks of; other lines change nothing."""
        match = PROGRESS_LINE.match(line)
        if match is None:
            return
        label, percent = match["label"], 100.0 * int(match["done"]) / max(1, int(match["total"]))
        if label in self._artifacts:
            update_progress_artifact(self._artifacts[label], progress=percent)
        else:
            self._artifacts[label] = create_progress_artifact(
                progress=percent, key=_key(self.stage, "progress", label), description=f"{self.stage}: {label}"
            )


def publish(stage: str, folder: Path) -> None:
    """Show a stage's headline metrics as a table, its pictures as markdown, and a release's verdict."""
    metrics_path = folder / "metrics.json"
    if metrics_path.is_file():
        rows = [{"metric": name, "value": value} for name, value in read_json(metrics_path).items()]
        create_table_artifact(rows, key=_key(stage, "metrics"), description=f"What {stage} measured")
    pictures = sorted(folder.glob("*.png"))
    if pictures:
        markdown = "\n\n".join(_picture(path, stage) for path in pictures)
        create_markdown_artifact(markdown, key=_key(stage, "pictures"), description=f"Pictures of {stage}")
    verdict_path = folder / "verdict.json"
    if verdict_path.is_file():
        create_markdown_artifact(verdict_markdown(read_json(verdict_path)), key="verdict", description="The verdict")


def summarise(states: Mapping[str, State[Any]], data_dir: Path, *, reports: str | None) -> None:
    """Show how each stage ended, the verdict, and where the report and the bundle are.

    Args:
        states: Each stage's last state, deploy's too.
        data_dir: What the stages wrote.
        reports: The address at which the release is shown; None where nobody shows it: then the paths are named.
    """
    release = data_dir / "release"
    parts = []
    if (release / "verdict.json").is_file():
        parts += [verdict_markdown(read_json(release / "verdict.json")), _links(release, reports)]
    rows = [f"| {name} | {state.name} | {_cell(state.message)} |" for name, state in states.items()]
    parts.append("\n".join(["| stage | state | |", "| --- | --- | --- |", *rows]))
    create_markdown_artifact("\n\n".join(parts), key="summary", description="The run in short")
    if reports and "release" in states and (release / "index.html").is_file():
        create_link_artifact(reports, "The report, for anyone", key="report", description="The released report")
        create_link_artifact(f"{reports}bundle/", "The bundle", key="bundle", description="What may be handed on")


def _links(release: Path, reports: str | None) -> str:
    if reports is None:
        return f"The report: `{(release / 'index.html').resolve()}`; the bundle: `{(release / 'bundle').resolve()}`"
    return f"[The report, for anyone]({reports}) and [the bundle, which may be handed on]({reports}bundle/)"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")


def _picture(path: Path, stage: str) -> str:
    if path.stat().st_size > PICTURE_BYTES:
        return f"{path.name} is too large to be shown here: `{path.resolve()}`"
    return f"![{path.stem} of {stage}]({_data_uri(path)})"


def refusal(data_dir: Path) -> str | None:
    """Why the release was refused; None where it was not."""
    verdict = read_json(data_dir / "release" / "verdict.json")
    return None if verdict["released"] else f"refused, because {verdict['reason']}"


def say_end(state: State[Any], data_dir: Path) -> None:
    """Close a run in a terminal: the verdict's table, where the report lies, and what to type next."""
    console = Console(width=None if sys.stdout.isatty() else LOG_WIDTH)
    verdict_path = data_dir / "release" / "verdict.json"
    if not state.is_completed():
        console.print(f"[bold red]{state.name}[/]: {state.message}", highlight=False)
        console.print("Mend what the message names and type the same again: finished stages are kept.")
        return
    if verdict_path.is_file():
        console.print(verdict_table(read_json(verdict_path)))
    said = str(state.message)
    if state.name != "Refused":  # that message says so itself
        said = f"{state.name}: {said}"
    console.print(said[:1].upper() + said[1:], style="bold", highlight=False, markup=False)
    console.print(f"The report, for anyone:    {(data_dir / 'release' / 'index.html').resolve()}", soft_wrap=True)
    console.print("Change a number and rerun: edit params.yaml, then `make run` (only what depends on it runs)")
    console.print("This run in the Prefect UI: make serve")


def _data_uri(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()


def _key(*words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")
