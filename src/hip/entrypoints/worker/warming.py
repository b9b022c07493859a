"""What every work-horse would otherwise do for itself, done once before the first fork."""

import gc

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.adapters.push.network import system_trust
from hip.domain.facilities import Facility
from hip.entrypoints.example_visits import example_visits
from hip.entrypoints.outbound import gateway_trust


def warm() -> None:
    """Compose and validate the example visits, so that the compiled profiles they use are in memory; read certificates.

    What is there then is left alone by the garbage collector of every fork: it would copy the pages it looks at.
    """
    composer, validator = FhirComposer(), NrcesValidator()
    for example in example_visits():
        facility = Facility(hip_id=example.record.hip_id, name="Example")
        for hi_type in example.record.required_hi_types:
            validator.validate(composer.compose(example.record, hi_type, facility=facility))
    system_trust()
    gateway_trust()
    gc.collect()
    gc.freeze()
