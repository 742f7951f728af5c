"""The documents say what the code does: tables equal the stage graph, commands exist, links lead somewhere."""

import re
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def table_under(heading: str) -> dict[str, str]:
    section = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\S.*?) \| (.*) \|$", section, re.MULTILINE)
    return dict(rows[2:])  # less the header and its rule


def test_the_stage_table_is_dvcs():
    assert table_under("The stages") == {name: stage["desc"] for name, stage in STAGES.items()}


def test_the_first_screen_names_both_commands():
    first_screen = README[:1500]
    assert "$ make run" in first_screen
    assert "$ make test" in first_screen


def test_ci_runs_the_test_command_of_the_readme():
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_make_command_in_the_documents_is_a_target():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for document in DOCUMENTS:
        named = set(re.findall(r"\bmake ([a-z]+)\b", " ".join(code_of(document))))
        assert named <= targets, document.name


def code_of(document: Path) -> list[str]:
    """Fenced blocks and inline code of a document."""
    text = document.read_text(encoding="utf-8")
    fenced = re.findall(r"```.*?\n(.*?)```", text, re.DOTALL)
    return fenced + re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_to_a_file(document: Path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_format_of_the_readme_is_one_that_ingest_reads():
    from typing import get_args

    from tasks.ingest import Format

    named = set(re.findall(r"^\| .*? \| `(\w+)` \| `", README, re.MULTILINE))
    assert named | {"digits"} == set(get_args(Format))


def test_the_project_speaks_of_itself_alone():
    """No path of the machine it was built on, in any file that is committed."""
    import subprocess

    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = [ROOT / name for name in files if not name.endswith((".png", ".lock")) and name != "tests/test_docs.py"]
    for path in texts:
        assert not re.search(r"(?<![\w.])/(?:work|root|tmp/dev)/", path.read_text(encoding="utf-8")), path


def blocks_of(document: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


def merged(base: dict, changes: dict) -> dict:
    """`base` with the keys of `changes` in place of its own, section by section."""
    both = {key: merged(base[key], one) if isinstance(one, dict) else one for key, one in changes.items()}
    return base | both


@pytest.mark.parametrize("block", [*blocks_of("docs/data.md", "yaml"), *blocks_of("docs/clusters.md", "yaml")])
def test_every_section_shown_for_a_source_is_one_that_ingest_takes(block: str):
    from tasks.ingest import Params
    from tasks.params import build

    default = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))["ingest"]
    shown = YAML(typ="safe").load(block)["ingest"]
    assert build(Params, merged(default, shown), name="ingest").source == shown["source"]


def test_the_section_shown_for_records_made_elsewhere_is_one_that_train_gan_takes():
    from tasks.params import build
    from tasks.train_gan import TRAINED_HERE, Params

    default = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))["train_gan"]
    (block,) = blocks_of("docs/elsewhere.md", "yaml")
    shown = YAML(typ="safe").load(block)["train_gan"]
    assert (
        build(Params, merged(default, shown), name="train_gan").source
        == shown["source"]
        != TRAINED_HERE
        == default["source"]
    )


def test_the_export_of_training_records_is_a_folder_of_images(tmp_path: Path, digits, monkeypatch: pytest.MonkeyPatch):
    from mintmark.data.images import write_images
    from mintmark.data.pixels import decode

    write_images(tmp_path / "data" / "split" / "train.parquet", digits.take(np.arange(20)))
    monkeypatch.chdir(tmp_path)
    (block,) = blocks_of("docs/elsewhere.md", "python")
    exec(compile(block, "docs/elsewhere.md", "exec"), {})
    for row in range(20):
        (path,) = (tmp_path / "export").glob(f"*/{row}.png")
        assert path.parent.name == digits.classes[digits.codes[row]]
        with path.open("rb") as stream:
            assert (decode(stream, max_pixels=64) == digits.images[row]).all()
