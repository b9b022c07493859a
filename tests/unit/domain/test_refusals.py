"""The catalogue of refusals: cause, fix and who must act, by code and call (contract §1.11)."""

from hip.application.link_batches import TOKEN_IS_BAD
from hip.domain.exchanges import Flow
from hip.domain.refusals import Actor, explain
from hip.domain.token_requests import FOR_THE_DESK, PASSING


def test_one_code_means_another_thing_in_another_call():
    linking = explain("ABDM-1063", Flow.LINK_CARE_CONTEXT)
    asking = explain("ABDM-1063", Flow.HEALTH_INFORMATION_ON_REQUEST)
    assert "HIP" in linking.cause
    assert "date range" in asking.cause


def test_what_is_not_repeated_for_the_demographics_is_the_desks_to_correct():
    shown = {code: explain(code, Flow.GENERATE_TOKEN).actor for code in FOR_THE_DESK - {"ABDM-1013"}}
    assert set(shown.values()) == {Actor.DESK}


def test_nobody_is_called_for_what_is_tried_again_by_itself():
    shown = {code: explain(code, Flow.GENERATE_TOKEN).actor for code in PASSING - {"ABDM-1048"}}
    assert set(shown.values()) == {Actor.NOBODY}


def test_every_code_of_a_bad_link_token_is_explained():
    assert all("token" in explain(code, Flow.LINK_CARE_CONTEXT).cause for code in TOKEN_IS_BAD)


def test_an_unknown_code_is_for_it_and_the_gateways_own_failure_for_nha():
    assert explain("ABDM-7777", Flow.ON_INIT).actor is Actor.IT
    assert explain("ABDM-1029", Flow.ON_INIT).actor is Actor.NHA
