"""The dataset card: README.md with the Hugging Face header. Says what the data are, and what was measured of them."""

import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mintmark.release import portable, words
from mintmark.release.dataset import Dataset, features

DATA_FILE = "data/train-00000-of-00001.parquet"
MODEL_FILE = "model/classifier.onnx"
GUARD_FILE = "model/guard.safetensors"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write_card(
    *, title: str, licence: str, verdict: Mapping[str, Any], dataset: Dataset | None, sheet: str | None
) -> str:
    """The card's text.

    Args:
        title: The data set's name for people.
        licence: An identifier that the Hugging Face hub knows.
        verdict: The published verdict.
        dataset: What the data file holds; None where no data are released.
        sheet: The name of the file with sample pictures; None where there is none.
    """
    environment = Environment(
        loader=PackageLoader("mintmark.release", "."),
        autoescape=False,  # noqa: S701 - Markdown, not HTML; every value that is not ours goes through `quoted` or `cell`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"quoted": quoted, "cell": cell}
    return environment.get_template("card.md.j2").render(
        title=title,
        licence=licence,
        verdict=verdict,
        words=words,
        dataset=dataset,
        features=features,
        size=size_category(dataset.rows) if dataset else None,
        data_file=DATA_FILE,
        model_file=MODEL_FILE,
        guard_file=GUARD_FILE,
        input_name=portable.INPUT,
        opset=portable.OPSET,
        sheet=sheet,
    )


def size_category(rows: int) -> str:
    """The Hugging Face hub's word for a number of rows."""
    return next((word for limit, word in _SIZES if rows < limit), "n>1M")


def quoted(text: str) -> str:
    """Text as a YAML scalar: JSON strings are YAML."""
    return json.dumps(text, ensure_ascii=False)


def cell(text: str) -> str:
    """Text as one cell of a Markdown table, or one line."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
