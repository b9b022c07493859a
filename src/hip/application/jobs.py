"""Flow: an operator runs a job again, or takes one out."""

from dataclasses import dataclass

from hip.application.bundling import bundle_named
from hip.application.ports import Clock
from hip.application.storage import Job, JobState, Topic, UnitOfWork, Units
from hip.domain.audit import AuditEntry
from hip.domain.bundle_jobs import BundleJob
from hip.domain.errors import DomainError, InvalidValue, NotFound
from hip.domain.identifiers import HipId

KEPT = frozenset({Topic.CALLBACK, Topic.TRANSFER})
"""What was accepted from the gateway has to come to its own end: it can be run again, but not be taken out."""

_STANDS = {
    JobState.READY: "was taken by a worker a moment ago",
    JobState.LEASED: "is being run",
    JobState.DONE: "is done",
    JobState.DEAD: "was taken by a worker a moment ago",
    JobState.CANCELLED: "was cancelled already",
}


@dataclass(frozen=True, slots=True)
class RetryJob:
    units: Units
    clock: Clock

    async def __call__(self, hip_id: HipId, job_id: int, *, actor: str) -> Job:
        """Run a dead or cancelled job again under a new row, or one that waits at once; its flow is safe to repeat.

        A new row, for claims of the old one may still lie in a queue. Raises NotFound, and DomainError for one that is
        running or done, that was retried already, or whose transfer has a retry of its own.
        """
        async with self.units() as uow:
            job = await uow.outbox.get(hip_id, job_id)
            if job is None:
                raise NotFound("job", str(job_id))
            if job.state in (JobState.LEASED, JobState.DONE):
                raise DomainError(f"the job {_STANDS[job.state]}: there is nothing to run again")
            if job.topic is Topic.TRANSFER and job.state is not JobState.READY:
                raise DomainError(f"use `hip transfers retry {job.key}`: it asks the release gate again")
            if job.state is JobState.CANCELLED and await uow.outbox.undecided(hip_id, job.topic, job.key):
                raise DomainError("the job was cancelled or retried, and another one for the same waits already")
            now = self.clock()
            if job.state is JobState.READY:
                await uow.outbox.hurry(hip_id, job.topic, job.key, run_at=now)
            elif job.state is JobState.CANCELLED or await uow.outbox.cancel(hip_id, job_id):
                await uow.outbox.add(hip_id, job.topic, job.key, run_at=now)
                if (document := await _document(uow, job)) is not None and not document.state.built:
                    types, version = [document.key.hi_type], document.version
                    await uow.bundle_jobs.ask(hip_id, document.key.visit_code, types, version=version, now=now)
            await uow.audit.append(_entry(job, "job-retried", actor, self.clock))
            await uow.commit()
        return job


@dataclass(frozen=True, slots=True)
class CancelJob:
    units: Units
    clock: Clock

    async def __call__(self, hip_id: HipId, job_id: int, *, actor: str) -> Job:
        """Raises NotFound, and DomainError for one that is running or done, or that must come to its own end."""
        async with self.units() as uow:
            job = await uow.outbox.get(hip_id, job_id)
            if job is None:
                raise NotFound("job", str(job_id))
            if job.topic in KEPT:
                raise DomainError(f"a {job.topic} was accepted from the gateway and cannot be cancelled")
            if not await uow.outbox.cancel(hip_id, job_id):
                raise DomainError(f"the job {_STANDS[job.state]}: it cannot be taken out")
            if (document := await _document(uow, job)) is not None:
                await uow.bundle_jobs.fail(document.key, error="cancelled", next_run_at=None, now=self.clock())
            await uow.audit.append(_entry(job, "job-cancelled", actor, self.clock))
            await uow.commit()
        return job


async def _document(uow: UnitOfWork, job: Job) -> BundleJob | None:
    """What is known of the document that this job makes, if that is what it does."""
    if job.topic is not Topic.BUNDLE:
        return None
    try:
        return await uow.bundle_jobs.get(bundle_named(job.hip_id, job.key))
    except InvalidValue:
        return None


def _entry(job: Job, action: str, actor: str, clock: Clock) -> AuditEntry:
    return AuditEntry(
        hip_id=job.hip_id,
        at=clock(),
        actor=actor,
        action=action,
        subject=str(job.id),
        detail=(("topic", job.topic), ("state", job.state), ("attempt", str(job.attempt))),
    )
