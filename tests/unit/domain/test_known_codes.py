"""Every code of contract §1.11 is explained for every call that can meet it: cause, fix, and who has to act."""

import pytest

from hip.domain.exchanges import Flow
from hip.domain.refusals import Actor, Explanation, explain

TOKEN, LINK, NOTIFY, SMS = (
    Flow.GENERATE_TOKEN,
    Flow.LINK_CARE_CONTEXT,
    Flow.CONTEXT_NOTIFY,
    Flow.SMS_NOTIFY,
)
DISCOVER, INIT, CONFIRM, SHARE = Flow.ON_DISCOVER, Flow.ON_INIT, Flow.ON_CONFIRM, Flow.ON_SHARE
CONSENT, REQUEST, ACCOUNT = (
    Flow.CONSENT_ON_NOTIFY,
    Flow.HEALTH_INFORMATION_ON_REQUEST,
    Flow.HEALTH_INFORMATION_NOTIFY,
)
ANY = tuple(Flow)
ANSWERS = (DISCOVER, INIT, CONFIRM, SHARE, CONSENT, REQUEST)

TABLE: dict[str, tuple[Flow, ...]] = {
    "ABDM-1000": ANY,
    "ABDM-1001": ANY,
    "ABDM-1004": (SMS,),
    "ABDM-1008": (SMS,),
    "ABDM-1006": ANY,
    "ABDM-1007": (SHARE,),
    "ABDM-1010": ANY,
    "ABDM-1011": ANY,
    "ABDM-1012": (LINK, DISCOVER),
    "ABDM-1013": (TOKEN, LINK),
    "ABDM-1015": ANSWERS,
    "ABDM-1016": ANY,
    "ABDM-1017": (DISCOVER, INIT, REQUEST),
    "ABDM-1018": (SHARE,),
    "ABDM-1019": (TOKEN, LINK),
    "ABDM-1020": ANY,
    "ABDM-1022": ANY,
    "ABDM-1023": (TOKEN,),
    "ABDM-1024": (TOKEN, LINK),
    "ABDM-1025": ANY,
    "ABDM-1026": (LINK,),
    "ABDM-1027": (TOKEN,),
    "ABDM-1028": ANY,
    "ABDM-1029": ANY,
    "ABDM-1030": ANY,
    "ABDM-1031": (REQUEST,),
    "ABDM-1032": ANY,
    "ABDM-1033": (CONSENT, REQUEST, ACCOUNT),
    "ABDM-1034": (SMS,),
    "ABDM-1035": ANY,
    "ABDM-1036": (TOKEN,),
    "ABDM-1037": (LINK, DISCOVER, CONFIRM),
    "ABDM-1038": (LINK,),
    "ABDM-1040": (REQUEST, ACCOUNT),
    "ABDM-1041": (CONSENT, SHARE),
    "ABDM-1042": ANY,
    "ABDM-1043": (TOKEN,),
    "ABDM-1044": (NOTIFY, ACCOUNT),
    "ABDM-1045": ANY,
    "ABDM-1046": (CONSENT,),
    "ABDM-1047": (CONSENT,),
    "ABDM-1048": ANY,
    "ABDM-1049": (SHARE,),
    "ABDM-1050": (SHARE,),
    "ABDM-1051": (TOKEN,),
    "ABDM-1052": ANSWERS,
    "ABDM-1055": ANY,
    "ABDM-1056": (LINK, INIT, CONFIRM),
    "ABDM-1057": (INIT, CONFIRM),
    "ABDM-1059": (INIT, CONFIRM),
    "ABDM-1060": (LINK, *ANSWERS),
    "ABDM-1061": (LINK, *ANSWERS),
    "ABDM-1062": (LINK, REQUEST),
    "ABDM-1063": (LINK, REQUEST),
    "ABDM-1064": ANY,
    "ABDM-1065": ANY,
    "ABDM-1066": ANY,
    "ABDM-1067": ANY,
    "ABDM-1084": ANY,
    "ABDM-1085": ANY,
    "ABDM-1086": ANY,
    "ABDM-1087": (SHARE,),
    "ABDM-1090": (LINK,),
    "ABDM-1091": (LINK,),
    "ABDM-1092": (TOKEN,),
    "ABDM-1093": ANY,
    "ABDM-1094": ANY,
    "ABDM-1095": ANY,
    "ABDM-1102": (SHARE,),
    "ABDM-1103": (DISCOVER,),
    "ABDM-1104": (INIT,),
    "ABDM-1105": (CONFIRM,),
    "ABDM-1106": (DISCOVER,),
    "ABDM-1107": (INIT,),
    "ABDM-1108": (CONFIRM,),
    "ABDM-1109": (DISCOVER,),
    "ABDM-1110": (INIT,),
    "ABDM-1111": (CONFIRM,),
    "ABDM-1112": (REQUEST, CONSENT),
    "ABDM-1113": (REQUEST,),
    "ABDM-1115": (DISCOVER,),
    "ABDM-1125": (TOKEN,),
    "ABDM-1149": (SHARE,),
    "ABDM-1150": ANY,
    "ABDM-1170": (TOKEN, LINK),
    "ABDM-1201": ANY,
    "ABDM-1207": (TOKEN,),
    "ABDM-1401": ANY,
    "ABDM-1402": ANY,
    "ABDM-1407": (TOKEN, LINK),
    "ABDM-2401": ANY,
    "ABDM-2402": ANY,
    "ABDM-2403": ANY,
    "ABDM-2404": ANY,
    "ABDM-2406": ANY,
    "ABDM-2429": ANY,
    "ABDM-2500": ANY,
    "ABDM-2501": ANY,
    "ABDM-9999": ANY,
    "900900": ANY,
    "900901": ANY,
    "900902": ANY,
    "1428": (REQUEST,),
}
"""ABDM-9001 to 9007 are the scan-and-pay family: no call of ours meets them."""

ACTORS = {
    ("ABDM-1013", TOKEN): Actor.DESK,
    ("ABDM-1170", TOKEN): Actor.DESK,
    ("ABDM-1125", TOKEN): Actor.DESK,
    ("ABDM-1207", TOKEN): Actor.DESK,
    ("ABDM-9999", TOKEN): Actor.DESK,
    ("ABDM-9999", LINK): Actor.IT,
    ("ABDM-1016", LINK): Actor.IT,
    ("ABDM-2402", LINK): Actor.IT,
    ("ABDM-2429", LINK): Actor.NOBODY,
    ("ABDM-1034", SMS): Actor.NHA,
    ("ABDM-1011", LINK): Actor.NHA,
    ("ABDM-1106", DISCOVER): Actor.NOBODY,
    ("ABDM-1113", REQUEST): Actor.NOBODY,
    ("ABDM-1112", REQUEST): Actor.NOBODY,
    ("900900", LINK): Actor.IT,
}


def unknown(flow: Flow) -> Explanation:
    return explain("ABDM-0000", flow)


@pytest.mark.parametrize("code", TABLE)
def test_every_code_of_the_contract_is_explained_for_each_call_that_can_meet_it(code: str) -> None:
    for flow in TABLE[code]:
        why = explain(code, flow)
        assert why != unknown(flow), f"{code} at {flow} is told as a code nobody knows"
        assert why.cause
        assert why.fix
        assert why.cause != why.fix


@pytest.mark.parametrize(("code", "flow"), ACTORS)
def test_whoever_can_mend_it_is_named(code: str, flow: Flow) -> None:
    assert explain(code, flow).actor is ACTORS[code, flow]


def test_only_what_the_desk_can_mend_is_put_to_it_and_no_code_is_the_desks_in_an_answer_of_ours() -> None:
    desks = [(code, flow) for code, flows in TABLE.items() for flow in flows if explain(code, flow).actor is Actor.DESK]
    assert desks
    assert {flow for _, flow in desks} <= {TOKEN, LINK, SMS}


@pytest.mark.parametrize(
    "code",
    [
        "no-answer",
        "no-reply",
        "not-sent",
        "no-session",
        "no-session-clock",
        "401",
        "403",
        "404",
        "408",
        "429",
        "500",
        "503",
    ],
)
def test_what_came_without_a_code_of_the_gateway_is_explained_as_well(code: str) -> None:
    for flow in Flow:
        assert explain(code, flow) != unknown(flow)
