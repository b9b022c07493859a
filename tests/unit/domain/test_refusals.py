"""The catalogue of refusals: cause, fix and who must act, by code and call (contract §1.11)."""

import pytest

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
    shown = {code: explain(code, Flow.GENERATE_TOKEN).actor for code in FOR_THE_DESK}
    assert set(shown.values()) == {Actor.DESK}


def test_nobody_is_called_for_what_is_tried_again_by_itself():
    shown = {code: explain(code, Flow.GENERATE_TOKEN).actor for code in PASSING}
    assert set(shown.values()) == {Actor.NOBODY}


def test_every_code_of_a_bad_link_token_is_explained():
    assert all("token" in explain(code, Flow.LINK_CARE_CONTEXT).cause for code in TOKEN_IS_BAD)


def test_an_unknown_code_is_for_it_and_the_gateways_own_failure_for_nha():
    assert explain("ABDM-7777", Flow.ON_INIT).actor is Actor.IT
    assert explain("ABDM-1029", Flow.ON_INIT).actor is Actor.NHA


# Contract §1.11, every code of the table, and the statuses and API-manager codes of §1.10.
PUBLISHED = (
    *(1000, 1001, 1004, 1006, 1007, 1008, 1010, 1011, 1012, 1013, 1015, 1016, 1017, 1018, 1019, 1020, 1022, 1023, 1024),
    *(1025, 1026, 1027, 1028, 1029, 1030, 1031, 1032, 1033, 1034, 1035, 1036, 1037, 1038, 1040, 1041, 1042, 1043, 1044),
    *(1045, 1046, 1047, 1048, 1049, 1050, 1051, 1052, 1055, 1056, 1057, 1059, 1060, 1061, 1062, 1063, 1064, 1065, 1066),
    *(1067, 1084, 1085, 1086, 1087, 1090, 1091, 1092, 1093, 1094, 1095, 1102, 1103, 1104, 1105, 1106, 1107, 1108, 1109),
    *(1110, 1111, 1112, 1113, 1115, 1125, 1149, 1150, 1170, 1201, 1207, 1401, 1402, 1407),
    *(2401, 2402, 2403, 2404, 2406, 2429, 2500, 2501, *range(9001, 9008), 9999),
)
OF_THE_HTTP_LAYER = ("400", "401", "403", "404", "408", "429", "500", "503", "900900", "900901", "900902")
OF_OUR_OWN = ("no-answer", "no-reply", "not-sent", "no-session")


@pytest.mark.parametrize("code", [*(f"ABDM-{number}" for number in PUBLISHED), *OF_THE_HTTP_LAYER, *OF_OUR_OWN])
def test_every_published_code_is_explained_for_a_call_that_meets_it(code: str):
    unknown = explain("ABDM-7777", Flow.ON_INIT)
    assert any(explain(code, flow) != unknown for flow in Flow)


@pytest.mark.parametrize(
    ("call", "codes"),
    [
        (
            Flow.GENERATE_TOKEN,
            (1013, 1019, 1022, 1023, 1024, 1027, 1035, 1036, 1043, 1051, 1092, 1125, 1170, 1207, 1407),
        ),
        (Flow.LINK_CARE_CONTEXT, (1006, 1012, 1013, 1024, 1026, 1035, 1037, 1038, 1056, 1062, 1063, 1066, 1090, 1407)),
        (Flow.CONTEXT_NOTIFY, (1006, 1016, 1035)),
        (Flow.SMS_NOTIFY, (1004, 1008, 1016, 1030, 1034, 1035)),
        (Flow.ON_DISCOVER, (1006, 1010, 1012, 1016, 1017, 1030, 1037, 1052, 1106, 1109, 1115)),
        (Flow.ON_INIT, (1017, 1052, 1056, 1057, 1059, 1060, 1107, 1110)),
        (Flow.ON_CONFIRM, (1006, 1037, 1056, 1057, 1059, 1108, 1111)),
        (Flow.ON_SHARE, (1007, 1018, 1022, 1041, 1049, 1050, 1087, 1102, 1149)),
        (Flow.CONSENT_ON_NOTIFY, (1030, 1041, 1052)),
        (Flow.HEALTH_INFORMATION_ON_REQUEST, (1017, 1031, 1040, 1061, 1062, 1063, 1112, 1113)),
        (Flow.HEALTH_INFORMATION_NOTIFY, (1010, 1016, 1017, 1033, 1040)),
    ],
)
def test_what_the_contract_names_for_a_call_is_explained_for_that_call(call: Flow, codes: tuple[int, ...]):
    unknown = explain("ABDM-7777", call)
    assert [number for number in codes if explain(f"ABDM-{number}", call) == unknown] == []


def test_no_advice_promises_a_retry_that_does_not_come():
    """By itself goes only what a reply with 408, 429 or 5xx, or a passing refusal of a token, was answered with."""
    promised = {
        code
        for code in (f"ABDM-{number}" for number in PUBLISHED)
        if explain(code, Flow.GENERATE_TOKEN).fix == "nothing: it is tried again by itself"
    }
    assert promised <= PASSING
