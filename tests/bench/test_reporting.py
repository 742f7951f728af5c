"""What every benchmark prints."""

import json

import pytest

from bench.reporting import at_least, at_most, finish


def test_a_goal_holds_the_median_against_what_it_may_be(capsys: pytest.CaptureFixture[str]):
    kept, broken = at_most(2.0, "kept", [1.0, 9.0, 2.0], unit="ratio"), at_most(2.0, "broken", [2.5], unit="ratio")
    finish("x", [kept, broken], {"runs": 3})
    said = capsys.readouterr()
    line = json.loads(said.out.splitlines()[-1])
    assert line["bench"] == "x"
    assert line["goals"][0] == {
        "name": "kept", "value": 2.0, "low": 1.0, "high": 9.0, "unit": "ratio", "goal": 2.0, "met": True,
    }  # fmt: skip
    assert line["goals"][1]["met"] is False
    assert line["details"] == {"runs": 3}
    assert "NO" in said.err


def test_a_goal_may_be_the_least(capsys: pytest.CaptureFixture[str]):
    assert at_least(2.0, "kept", [1.0, 2.0, 9.0], unit="ratio").met
    broken = at_least(2.0, "broken", [1.9], unit="ratio")
    assert not broken.met
    finish("x", [broken], {})
    assert ">= 2" in capsys.readouterr().err


def test_what_json_cannot_carry_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        finish("x", [], {"value": float("nan")})
