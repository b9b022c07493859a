"""Vaccines given, refused and due."""

from hip.adapters.fhir.composition import wording
from hip.adapters.fhir.composition.codes import FORECASTS, ROUTES, SNOMED, VACCINE_DUE
from hip.adapters.fhir.composition.draft import Draft, Part, Resource, codeable
from hip.adapters.fhir.composition.layouts import PROFILES
from hip.domain.clinical_reports import Immunization


def given(draft: Draft) -> list[Part]:
    """One N:Immunization a vaccine; one that was not given has a date too, for FHIR demands it (amrit.md §4)."""
    parts = []
    for index, each in enumerate(draft.record.immunizations):
        made: Resource = {
            "resourceType": "Immunization",
            "status": "completed" if each.given else "not-done",
            "vaccineCode": codeable(each, SNOMED),
            "patient": draft.patient,
            "encounter": draft.encounter,
            "occurrenceDateTime": each.occurred or draft.record.start.isoformat(),
            "primarySource": each.place is None,
        }
        if each.brand is not None:
            made["extension"] = [{"url": PROFILES + "BrandName", "valueString": each.brand.strip()}]
        made.update(_details(draft, each))
        parts.append(Part(draft.add(made, "immunization", index, profile="Immunization"), wording.immunization(each)))
    return parts


def due(draft: Draft, supporting: list[Part]) -> list[Part]:
    """The single N:ImmunizationRecommendation, one recommendation in it a vaccine due."""
    wanted = draft.record.immunizations_due
    if not wanted:
        return []
    recommendations = []
    for each in wanted:
        one: Resource = {
            "vaccineCode": [codeable(each, SNOMED)],
            "forecastStatus": FORECASTS[each.status].concept(),
        }
        if each.target_disease is not None:
            one["targetDisease"] = codeable(each.target_disease, SNOMED)
        if each.due is not None:
            one["dateCriterion"] = [{"code": VACCINE_DUE.concept(), "value": each.due.isoformat()}]
        if each.dose_number is not None:
            one["doseNumberPositiveInt"] = each.dose_number
        if each.series_doses is not None:
            one["seriesDosesPositiveInt"] = each.series_doses
        if supporting:
            one["supportingImmunization"] = [part.reference for part in supporting]
        recommendations.append(one)
    made: Resource = {
        "resourceType": "ImmunizationRecommendation",
        "patient": draft.patient,
        "date": draft.moment.isoformat(),
        "authority": draft.organization,
        "recommendation": recommendations,
    }
    reference = draft.add(made, "immunizations-due", profile="ImmunizationRecommendation")
    lines = [wording.immunization_due(each) for each in wanted]
    return [Part(reference, lines[0]), *(Part({}, line) for line in lines[1:])]


def _details(draft: Draft, each: Immunization) -> Resource:
    made: Resource = {}
    if each.reason_not_given is not None:
        made["statusReason"] = {"text": each.reason_not_given.strip()}
    if each.place is not None:
        made["location"] = {"display": each.place.strip()}
    if each.manufacturer is not None:
        made["manufacturer"] = {"display": each.manufacturer.strip()}
    if each.lot_number is not None:
        made["lotNumber"] = each.lot_number.strip()
    if each.expires is not None:
        made["expirationDate"] = each.expires.isoformat()
    if each.site is not None:
        made["site"] = codeable(each.site, SNOMED)
    if each.route is not None:
        route = ROUTES.get(each.route.strip().casefold())
        made["route"] = {"text": each.route.strip()} if route is None else route.concept(each.route.strip())
    if each.given and each.place is None:
        made["performer"] = [{"actor": draft.practitioner}]
    if each.note is not None:
        made["note"] = [{"text": each.note.strip()}]
    if each.dose_number is not None:
        protocol: Resource = {"doseNumberPositiveInt": each.dose_number}
        if each.series_doses is not None:
            protocol["seriesDosesPositiveInt"] = each.series_doses
        made["protocolApplied"] = [protocol]
    return made
