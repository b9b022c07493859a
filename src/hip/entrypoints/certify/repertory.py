"""Which play shows which case: the names that ``cases.toml`` uses."""

from collections.abc import Awaitable, Callable

from hip.entrypoints.certify.plays import consents, creation, finding, linking, transfers
from hip.entrypoints.certify.scene import Scene

Play = Callable[[Scene], Awaitable[None]]

PLAYS: dict[str, Play] = {
    f"{module.__name__.rpartition('.')[2]}.{play.__name__}": play
    for module, plays in {
        creation: (creation.record_created,),
        linking: (
            linking.address_entered,
            linking.demographics_entered,
            linking.validated,
            linking.token_obtained,
            linking.records_linked,
            linking.pulled_in_the_app,
            linking.invited_by_sms,
            linking.one_context_each,
            linking.token_used_again,
            linking.repeated,
            linking.announced,
        ),
        finding: (
            finding.hip_chosen,
            finding.searched,
            finding.profile_shared,
            finding.listed,
            finding.otp_and_consent,
            finding.only_the_chosen,
            finding.pulled_after,
            finding.found_alone,
            finding.shared_at_the_counter,
        ),
        consents: (consents.granted, consents.revoked, consents.expired, consents.opted_out),
        transfers: (
            transfers.care_context_shared,
            transfers.validated,
            transfers.refused_outside,
            transfers.identical,
            transfers.visible,
            transfers.closed_in_time,
        ),
    }.items()
    for play in plays
}
