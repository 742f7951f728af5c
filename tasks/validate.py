"""Judge the records: data/ingest/records.parquet -> accepted, quarantined with reasons, and Great Expectations' Data Docs.

One list of rules, `rules()`, makes both the quarantine and the site, so they cannot disagree. No row is lost: accepted
and quarantined rows together are the ingested ones. A table that is broken as a whole stops the run before anything is
written. Limits come from params alone. Payloads pass in batches; the facts take about 300 bytes a record at their peak.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mintmark.data.facts import Facts, read_facts
from mintmark.data.records import Form, RecordWriter, batch_rows, iter_batches
from mintmark.errors import BadInput
from mintmark.evidence import Measurement, Report, write_report
from mintmark.files import whole_file, whole_folder
from tasks.params import main

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # before the import: some versions report usage

if TYPE_CHECKING:
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
    from great_expectations.expectations.expectation import Expectation


@dataclass(frozen=True, kw_only=True, slots=True)
class Params:
    """The `validate` section.

    Attributes:
        threads: Arrow's threads.
        min_range: An image or series whose values span no more than this is constant; below 0, none is.
        max_image_z: Robust standard deviations by which an image's mean or spread may lie off those of its class and
            of all.
        max_series_z: The same for a series.
        max_column_z: The same for the values of a table's numeric columns.
        max_missing_share: Share of a table row's columns that may be missing.
        equal_records: "quarantine", or "keep" where honest records repeat, as in tables of few columns.
        max_quarantine_rate: A larger quarantined share of the records stops the run.
        min_records: Fewer accepted records stop the run.
        min_classes: Fewer classes among the accepted records stop the run; 0 where labels are not needed.
        min_class_records: Fewer accepted records of any class stop the run.
    """

    threads: int
    min_range: float
    max_image_z: float
    max_series_z: float
    max_column_z: float
    max_missing_share: float
    equal_records: Literal["quarantine", "keep"]
    max_quarantine_rate: float
    min_records: int
    min_classes: int
    min_class_records: int

    def __post_init__(self) -> None:
        for key in ("threads", "min_records", "min_class_records"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, got {getattr(self, key)}")
        for key in ("max_image_z", "max_series_z", "max_column_z"):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key} must be above 0, got {getattr(self, key)}")
        if self.min_classes < 0:
            raise ValueError(f"min_classes must be at least 0, got {self.min_classes}")
        for key in ("max_missing_share", "max_quarantine_rate"):
            if not 0 <= getattr(self, key) <= 1:
                raise ValueError(f"{key} must lie in 0..1, got {getattr(self, key)}")


def run(params: Params, data_dir: Path) -> None:
    """Validate `ingest/records.parquet` into `validate/`.

    Raises:
        BadInput: the table as a whole is broken.
    """
    pa.set_cpu_count(params.threads)
    source, folder = data_dir / "ingest" / "records.parquet", data_dir / "validate"
    facts = read_facts(source)
    with whole_folder(folder / "docs") as site:
        broken = judge(facts.rows, rules=rules(params, facts.form), site=site)
        reasons = _reasons(broken, len(facts.rows))
        check_table(facts, reasons, params, source=source)
        _write_rows(source, folder, facts.form, reasons)
    write_report(_report(facts, broken, reasons, params), folder)


def rules(params: Params, form: Form) -> "list[Expectation]":
    """What each record must satisfy; a rule's `meta` names the reason that quarantines a record which does not."""
    from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween
    from great_expectations.expectations.core.expect_column_values_to_be_in_set import ExpectColumnValuesToBeInSet
    from great_expectations.expectations.core.expect_column_values_to_not_be_null import ExpectColumnValuesToNotBeNull

    def at_most(limit: float, column: str, reason: str, words: str) -> "Expectation":
        words = f"{words} ({column} is at most {limit:g})."
        return ExpectColumnValuesToBeBetween(column=column, max_value=limit, meta={"reason": reason}, description=words)

    readable = ExpectColumnValuesToNotBeNull(
        column="readable",
        meta={"reason": "unreadable or mis-shaped"},
        description="The payload could be read and has the shape of all; ingest's manifest says what was found instead.",
    )
    labelled = ExpectColumnValuesToBeInSet(
        column="label",
        value_set=list(form.classes),
        meta={"reason": "mislabelled"},
        description=f"The label is one of {', '.join(form.classes)}; no label at all is fine.",
    )
    every = [readable, labelled, at_most(0, "non_finite", "non-finite", "Every value is a finite number")]
    if params.equal_records == "quarantine":
        every += [
            at_most(1, "labels_of_equals", "contradictory", "No equal record carries another label"),
            at_most(0, "repeats", "duplicate", "No other record says the same before, or with a label"),
        ]
    if form.kind == "table":
        limit = params.max_column_z
        return [
            *every,
            at_most(params.max_missing_share, "missing_share", "incomplete", "Enough of the columns hold a value"),
            at_most(limit, "column_z", "outlying", "Each number is near its column's, in robust standard deviations"),
        ]
    constant = ExpectColumnValuesToBeBetween(
        column="range",
        min_value=params.min_range,
        strict_min=True,
        meta={"reason": "constant"},
        description=f"The payload's values are not all alike (range is above {params.min_range:g}).",
    )
    near = "The {} is near that of its class or of all, in robust standard deviations"
    limit = params.max_image_z if form.kind == "image" else params.max_series_z
    outlying = [at_most(limit, f"{fact}_z", "outlying", near.format(fact)) for fact in ("mean", "spread")]
    return [*every, constant, *outlying]


def judge(rows: pd.DataFrame, *, rules: "list[Expectation]", site: Path) -> dict[str, np.ndarray]:
    """Hold the facts against the rules and render the outcome as a site.

    Returns:
        The rows that break each reason's rules, in the rules' order.

    Raises:
        RuntimeError: a rule could not be evaluated.
    """
    import great_expectations as gx
    from great_expectations.checkpoint.actions import UpdateDataDocsAction
    from great_expectations.core.run_identifier import RunIdentifier

    context = _context(site)
    asset = context.data_sources.add_pandas("records").add_dataframe_asset("facts")
    suite = context.suites.add(gx.ExpectationSuite(name="records", expectations=rules))
    batch = asset.add_batch_definition_whole_dataframe("all")
    definition = gx.ValidationDefinition(name="records", data=batch, suite=suite)
    checkpoint = gx.Checkpoint(
        name="records",
        validation_definitions=[context.validation_definitions.add(definition)],
        actions=[UpdateDataDocsAction(name="docs")],
        result_format={"result_format": "COMPLETE"},
    )
    run_id = RunIdentifier(run_name="validate")
    outcome = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": rows}, run_id=run_id)
    broken = {rule.meta["reason"]: np.zeros(0, np.int64) for rule in rules if rule.meta}
    for result in next(iter(outcome.run_results.values())).results:
        rule = result.expectation_config
        if rule is None or result.exception_info["raised_exception"]:
            raise RuntimeError(f"{rule} could not be evaluated: {result.exception_info}")
        found = result.result.get("unexpected_index_list") or []
        broken[rule.meta["reason"]] = np.union1d(broken[rule.meta["reason"]], np.array(found, np.int64))
    return broken


def _context(site: Path) -> "EphemeralDataContext":
    """A context that lives in memory and leaves nothing but the site."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.delete_data_docs_site("local_site")  # it would lie in a temporary folder
    context.add_data_docs_site(
        site_name="docs",
        site_config={
            "class_name": "SiteBuilder",
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site.resolve())},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    return context


def check_table(facts: Facts, reasons: "pd.Series[str]", params: Params, *, source: Path) -> None:
    """Stop where the table as a whole is broken.

    Raises:
        BadInput: too large a share is quarantined, or too few records or classes remain.
    """
    accepted = facts.rows["label"][reasons == ""]
    counts = accepted.value_counts().reindex(list(facts.form.classes), fill_value=0)
    classes, few = counts[counts > 0].index.tolist(), counts[counts < params.min_class_records]
    rate = 1 - len(accepted) / len(reasons)
    if rate > params.max_quarantine_rate:
        fault = (
            f"expected at most {params.max_quarantine_rate:.1%} of {len(reasons)} records in quarantine, got {rate:.1%}"
        )
    elif len(accepted) < params.min_records:
        fault = f"expected at least {params.min_records} sound records, got {len(accepted)}"
    elif len(classes) < params.min_classes:
        fault = f"expected at least {params.min_classes} classes with sound records, got {classes}"
    elif len(few):
        listed = ", ".join(f"{count} of {name!r}" for name, count in few.items())
        fault = f"expected at least {params.min_class_records} sound records of each class, got {listed}"
    else:
        return
    said = reasons[reasons != ""].value_counts().sort_index()
    why = "; ".join(f"{count} {reason}" for reason, count in said.items())
    raise BadInput(f"{source}: {fault} (in quarantine: {why or 'none'})")


def _reasons(broken: dict[str, np.ndarray], num_rows: int) -> "pd.Series[str]":
    """Each row's reasons, comma-separated; "" where it is accepted."""
    reasons = np.full(num_rows, "", object)
    for reason, rows in broken.items():
        reasons[rows] = [f"{said}, {reason}" if said else reason for said in reasons[rows]]
    return pd.Series(reasons, dtype="str")


def _write_rows(source: Path, folder: Path, form: Form, reasons: "pd.Series[str]") -> None:
    """Every record of the source goes into one of two files."""
    schema = form.schema()
    with_reasons = schema.append(pa.field("reasons", pa.string(), nullable=False))
    start = 0
    with (
        RecordWriter(folder / "accepted.parquet", form) as accepted,
        whole_file(folder / "quarantine.parquet") as partial,
        pq.ParquetWriter(partial, with_reasons, compression="zstd") as quarantine,
    ):
        for batch in iter_batches(source, rows=batch_rows(form), columns=schema.names):
            said = pa.array(reasons.iloc[start : start + batch.num_rows], pa.string())
            bad = np.asarray(reasons.iloc[start : start + batch.num_rows] != "")
            accepted.write(batch.filter(pa.array(~bad)))
            if bad.any():  # an empty batch would leave an empty row group
                rows = pa.RecordBatch.from_arrays([*batch.columns, said], schema=with_reasons)
                quarantine.write_batch(rows.filter(pa.array(bad)))
            start += batch.num_rows


def _report(facts: Facts, broken: dict[str, np.ndarray], reasons: "pd.Series[str]", params: Params) -> Report:
    num_rows, quarantined = len(reasons), int((reasons != "").sum())
    rate = Measurement(
        name="quarantine_rate",
        value=quarantined / num_rows,
        unit="rate",
        n=num_rows,
        note="Share of the ingested records that were set aside, each with its reasons.",
    )
    counts = [
        Measurement(
            name=f"{reason.replace('-', '_').replace(' ', '_')}_records",
            value=float(len(rows)),
            unit="count",
            n=num_rows,
            note=f"Records in quarantine as {reason}; a record may have several reasons.",
        )
        for reason, rows in broken.items()
    ]
    labels = facts.rows["label"]
    tables = {
        "records": {"ingested": num_rows, "accepted": num_rows - quarantined, "quarantined": quarantined},
        "classes": {
            name: {"ingested": int((labels == name).sum()), "accepted": int(((labels == name) & (reasons == "")).sum())}
            for name in facts.form.classes
        },
        "unlabelled": {
            "ingested": int(labels.isna().sum()),
            "accepted": int((labels.isna() & (reasons == "")).sum()),
        },
        "limits": {key: limit for key, limit in asdict(params).items() if key != "threads"},
        "missing_values": facts.missing,
        "non_finite_values": facts.non_finite,
    }
    return Report(stage="validate", measurements=(rate, *counts), headline=("quarantine_rate",), facts=tables)


if __name__ == "__main__":
    main("validate", Params, run)
