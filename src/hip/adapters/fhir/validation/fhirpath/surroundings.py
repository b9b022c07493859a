"""What an expression may name beside the element it is asked about."""

from collections.abc import Callable, Mapping
from typing import Any


class Surroundings:
    """``resource`` is the nearest resource, ``root`` the one around it; ``resolve`` follows a reference or gives None.

    Made at every turn of a loop, so it is a bare class: a frozen dataclass takes four times as long to make.
    """

    __slots__ = ("context", "resolve", "resource", "root", "this")

    def __init__(
        self,
        resource: Mapping[str, Any],
        root: Mapping[str, Any],
        resolve: "Callable[[str], Mapping[str, Any] | None]",
        this: Any = None,
        context: Any = None,
    ) -> None:
        self.resource = resource
        self.root = root
        self.resolve = resolve
        self.this = this
        self.context = context

    def about(self, item: Any) -> "Surroundings":
        """The same place with ``$this`` set."""
        return Surroundings(self.resource, self.root, self.resolve, item, self.context)


Items = list[Any]
Query = Callable[[Items, Surroundings], Items]
