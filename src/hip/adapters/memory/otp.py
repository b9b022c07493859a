"""OTPs that go nowhere but into a list, for tests and for a sandbox without a telephone."""

from dataclasses import dataclass, field

from hip.application.ports import OtpMessage
from hip.domain.errors import OtpNotSent


@dataclass(slots=True)
class MemoryOtpSender:
    """``failing`` makes the next messages bounce."""

    sent: list[OtpMessage] = field(default_factory=list, repr=False)
    failing: int = 0

    async def send(self, message: OtpMessage) -> None:
        """Keep it. Raises OtpNotSent when told to."""
        if self.failing:
            self.failing -= 1
            raise OtpNotSent("the provider did not take it")
        self.sent.append(message)
