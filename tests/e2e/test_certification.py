"""`hip certify`: every case holds, every twin fails where it must, and the command says so (rules.md §5)."""

import subprocess
import sys

import pytest
from tests.builders.reports import played

from hip.domain.errors import InvalidValue
from hip.entrypoints.certify.catalogue import Twin, cases, chosen
from hip.entrypoints.certify.repertory import PLAYS
from hip.entrypoints.certify.running import Failure, Result, TwinResult
from hip.entrypoints.certify.verdicts import tally, troubles
from hip.entrypoints.cli.main import __file__ as command


def test_every_case_holds_and_its_twin_fails_at_the_rule_it_breaks() -> None:
    for result in played(cases())[0]:
        assert result.failure is None, result.case.key
        failed = [(twin.twin.name, twin.failure and twin.failure.rule) for twin in result.twins]
        assert failed == [(twin.name, twin.fails) for twin in result.case.twins], result.case.key
        assert result.held
        if result.played:
            assert result.twins, result.case.key
            assert result.shown, result.case.key
            assert result.evidence.messages, result.case.key


def test_the_cases_are_those_of_the_lists() -> None:
    ids = {case.id for case in cases()}
    assert ids >= {f"HIP_INTI_LINK_{number}" for number in (*range(201, 207), *range(301, 307), *range(401, 406))}
    assert ids >= {f"HIP_INTI_LINK_{number}" for number in range(501, 507)}
    assert ids >= {f"USER_INIT_LINK_{number}" for number in range(601, 608)}
    assert ids >= {"LNK_01", "LNK_02", "LNK_03", "NTF_01", "DSC_01", *(f"DAT_0{number}" for number in range(1, 6))}
    assert ids >= {"SHARE _PATIENT_PROFILE_701", "HIP_INIT_GRANT_CONSENT_", "HIP_INIT_ABHA_OPTOUT_DEACTIVATE"}
    assert len([case for case in cases() if case.id == "Health_RECORD_CREATION_101"]) == 8


def test_every_play_is_used_and_every_case_that_is_not_replaced_has_one() -> None:
    assert {case.play for case in cases() if case.play} == set(PLAYS)
    assert all(bool(case.play) != (case.level == "replaced") for case in cases())
    assert all(case.note for case in cases() if case.level == "replaced" or case.wording == "unpublished")


def test_an_unknown_case_is_named() -> None:
    with pytest.raises(InvalidValue, match="LNK_99"):
        chosen(["LNK_99"])
    assert [case.key for case in chosen(["lnk_01", "DAT_01/Invoice"])] == ["LNK_01", "DAT_01/Invoice"]


def _result(*, failure: Failure | None = None, twin: Failure | None = None) -> Result:
    case = chosen(["LNK_01"])[0]
    of_twin = TwinResult(twin=Twin(name="a", changed="b", fails="LNK_01"), failure=twin)
    return Result(case=case, failure=failure, twins=(of_twin,))


def test_a_twin_that_holds_or_fails_elsewhere_fails_the_case() -> None:
    right, elsewhere = Failure(rule="LNK_01", seen="x", look="y"), Failure(rule="LINK-05", seen="x", look="y")
    late = Failure(rule="LNK_01", seen="x", look="y", late=True)
    assert _result(twin=right).held
    assert not _result(twin=late).held, "it failed for want of patience"
    assert not _result(twin=None).held
    assert not _result(twin=elsewhere).held
    assert "it held" in "".join(troubles([_result(twin=None)]))
    assert tally([_result(twin=elsewhere)]).startswith("0 of 1 mandatory cases hold")


def test_a_failure_names_rule_what_was_seen_and_where_to_look() -> None:
    failed = Failure(rule="LINK-05", seen="linked too early", look="hip links show 88120")
    said = "\n".join(troubles([_result(failure=failed, twin=failed)]))
    assert "LINK-05" in said
    assert "linked too early" in said
    assert "hip links show 88120" in said


def _hip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, command, *arguments), capture_output=True, text=True, check=False, timeout=120
    )


def test_the_command_runs_named_cases_and_says_what_came_of_them() -> None:
    done = _hip("certify", "LNK_03", "HIP_INTI_LINK_201")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 mandatory cases hold; 1 of 1 twins fail as they must; 1 cases are replaced in v3" in done.stdout


def test_the_command_describes_a_case_and_refuses_one_that_is_none() -> None:
    shown = _hip("certify", "show", "LNK_03")
    assert (shown.returncode, "not published" in shown.stdout) == (0, True)
    assert _hip("certify", "list").stdout.count("\n") == len(cases()) + 1
    none = _hip("certify", "LNK_99")
    assert (none.returncode, "LNK_99" in none.stderr) == (2, True)
