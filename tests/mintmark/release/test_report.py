"""The verdict for terminals and Markdown, and the words that both are made of."""

import io
import re

import pytest
from rich.console import Console

from mintmark.release import published, words
from mintmark.release.report import verdict_markdown, verdict_table


def printed(verdict, *, width: int = 140) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(verdict_table(verdict))
    return console.export_text()


def test_the_table_has_a_row_for_each_rule_with_value_interval_n_limit_and_outcome(released):
    text = printed(released)
    assert "-1.1 points" in text
    assert "-2.4 to +0.2 points" in text
    assert "539" in text
    assert "low end at least -5.0 points" in text
    assert text.count("pass ") == len(released["rules"])


def test_a_terminal_of_80_columns_shows_every_outcome_whole(released):
    lines = printed(released, width=80).splitlines()
    assert sum("pass    │" in line for line in lines) == len(released["rules"])


def test_a_refusal_names_the_rule_to_work_on(refused):
    text = printed(refused)
    assert text.startswith(
        'Refused, because the rule "attacks on the synthetic data barely beat guessing" does not hold: '
    )
    assert "found 0.71, allowed at most 0.6." in text
    assert "Work on: attacks on the synthetic data barely beat guessing" in text
    assert "FAIL" in text


def test_markdown_has_the_same_rows_and_escapes_what_would_break_them(released):
    released["rules"][0]["name"] = "a | b <script>"
    lines = verdict_markdown(released).splitlines()
    assert lines[0].startswith("**Released: the synthetic data and the classifier, because")
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == len(released["rules"]) + 2  # heading and ruler
    assert "a \\| b &lt;script>" in rows[2]


def test_what_is_withheld_is_said(policy, reports, measured):
    from mintmark.release.gate import judge

    audit = measured(reports["audit"], "classifier_auc_bound", value=0.9)
    text = verdict_markdown(judge(policy, {**reports, "audit": audit}).as_json())
    assert "Released: the synthetic data, because" in text
    assert (
        "Withheld: the classifier, because this does not hold: attacks on the classifier barely beat guessing" in text
    )


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0312, "rate", "3.1%"),
        (-0.011, "difference", "-1.1 points"),
        (-0.0000362, "difference", "+0.0 points"),
        (0.561234, "auc", "0.561"),
        (1797, "count", "1,797"),
        (0, "count", "0"),
        (None, "rate", "not measured"),
        (True, None, "yes"),
        (False, None, "no"),
        ("no evidence", None, "no evidence"),
    ],
)
def test_numbers_read_as_people_say_them(value, unit, text: str):
    assert words.number(value, unit) == text


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["samples"], "the synthetic data"),
        (["samples", "classifier"], "the synthetic data and the classifier"),
        (["samples", "classifier", "generator"], "the synthetic data, the classifier and the generator"),
    ],
)
def test_artefacts_become_one_phrase(names: list[str], text: str):
    assert words.artefacts(names) == text


def test_all_that_is_published_of_the_guard_has_words():
    alarms = [f"{alarm}_{what}_rate" for alarm in ("novelty", "anomaly") for what in ("false_alarm", "detection")]
    for name in ("auroc", "normals_auroc", "member_auroc", *alarms):
        assert any(re.fullmatch(pattern, f"guard_{name}") for pattern in published.NAMES["detect"])
        assert words.title(f"guard_{name}") == words.TITLES[f"guard_{name}"]


def test_advice_follows_the_stage_of_the_rule_to_work_on(refused):
    assert words.advice(refused) == words.ADVICE["audit"]
