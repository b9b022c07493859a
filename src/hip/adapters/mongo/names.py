"""What the four collections are called: as in the seed, or as AMRIT really calls them (amrit.md §1.1)."""

from dataclasses import dataclass

DATABASE = "AmritHRP"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionNames:
    """One name a collection. ``SEED`` is the default, ``AMRIT`` is for living beside a running AMRIT."""

    bundles: str = "Amrit_Resource"
    gateway_responses: str = "NDHMResponse"
    link_tokens: str = "GenerateLinkTokenResponse"
    patient_contexts: str = "PatientCareContexts"


SEED = CollectionNames()
AMRIT = CollectionNames(
    bundles="AMRIT_Resource", gateway_responses="NDHMResponses", link_tokens="GenerateTokenAbdmResponses"
)
