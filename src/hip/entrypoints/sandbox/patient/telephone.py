"""The text messages of every mobile number of the sandbox."""

import re
from dataclasses import dataclass, field

from hip.entrypoints.sandbox.parties import mobile_of
from hip.entrypoints.sandbox.views import Sms

OTP = re.compile(r"(?<!\d)\d{6,8}(?!\d)")


@dataclass(slots=True)
class Telephone:
    """Messages in the order they came."""

    _inbox: list[Sms] = field(default_factory=list, repr=False)

    def receive(self, message: Sms) -> None:
        """A message of the gateway or of a HIP."""
        self._inbox.append(message)

    def inbox(self, mobile: str = "") -> list[Sms]:
        """The messages of a number, however it is written; of all numbers when it is empty."""
        wanted = mobile_of(mobile)
        return [message for message in self._inbox if not wanted or mobile_of(message.mobile) == wanted]

    def newest_otp(self, mobile: str, *, after: int = 0) -> str | None:
        """The 6 to 8 digits of the newest message that has some, leaving out the first ``after`` of this number."""
        for message in reversed(self.inbox(mobile)[after:]):
            found = OTP.search(message.text)
            if found:
                return found.group()
        return None
