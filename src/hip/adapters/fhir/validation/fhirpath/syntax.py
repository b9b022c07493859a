"""Read FHIRPath expressions (the subset invariants are written in) into trees."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<name>`[^`]+`|"[^"]+"|[A-Za-z_][A-Za-z0-9_]*)
    | (?P<variable>%(?:`[^`]+`|'[^']+'|[A-Za-z_][A-Za-z0-9_\-]*)|\$[a-z]+)
    | (?P<sign><=|>=|!=|!~|[()\[\]{}.,|&+\-*/=<>~])
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}

# Weakest first; all of them group to the left.
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"implies"}),
    frozenset({"or", "xor"}),
    frozenset({"and"}),
    frozenset({"in", "contains"}),
    frozenset({"=", "!=", "~", "!~"}),
    frozenset({"<", ">", "<=", ">="}),
    frozenset({"|"}),
    frozenset({"is", "as"}),
    frozenset({"+", "-", "&"}),
    frozenset({"*", "/", "div", "mod"}),
)


class UnreadableExpression(ValueError):
    """The text is no FHIRPath, or uses a part of it that invariants have no need of."""


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Variable:
    """``%resource``, ``$this`` …, with its sign."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """``focus.name``; a ``focus`` of None is the thing the expression is asked about."""

    focus: "Tree | None"
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """``focus.name(arguments)``."""

    focus: "Tree | None"
    name: str
    arguments: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class Index:
    """``focus[at]``."""

    focus: "Tree"
    at: "Tree"


@dataclass(frozen=True, slots=True)
class Binary:
    """``left sign right``."""

    sign: str
    left: "Tree"
    right: "Tree"


Tree = Literal | Variable | Member | Call | Index | Binary


def parse(text: str) -> Tree:
    """Raises UnreadableExpression."""
    reader = _Reader(text)
    tree = reader.level(0)
    if reader.kind is not None:
        raise UnreadableExpression(f"{text!r}: unexpected {reader.text!r}")
    return tree


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, source: str) -> None:
        self._source = source.strip()
        self._at = 0
        self.kind: str | None = None
        self.text = ""
        self._next()

    def _next(self) -> str:
        taken = self.text
        if self._at >= len(self._source):
            self.kind, self.text = None, ""
            return taken
        match = _TOKEN.match(self._source, self._at)
        if match is None:
            raise UnreadableExpression(f"{self._source!r} at {self._at}")
        self.kind, self._at = match.lastgroup, match.end()
        self.text = match[str(match.lastgroup)]
        return taken

    def _expect(self, text: str) -> None:
        if self.text != text:
            raise UnreadableExpression(f"{self._source!r}: {text} expected, not {self.text!r}")
        self._next()

    def level(self, depth: int) -> Tree:
        if depth == len(_LEVELS):
            return self._postfix()
        tree = self.level(depth + 1)
        while self.kind in ("name", "sign") and self.text in _LEVELS[depth]:
            sign = self._next()
            tree = Binary(sign, tree, self.level(depth + 1))
        return tree

    def _postfix(self) -> Tree:
        tree = self._term()
        while self.kind == "sign":
            if self.text == ".":
                self._next()
                tree = self._invocation(tree)
            elif self.text == "[":
                self._next()
                tree = Index(tree, self.level(0))
                self._expect("]")
            else:
                break
        return tree

    def _invocation(self, focus: Tree | None) -> Tree:
        if self.kind != "name":
            raise UnreadableExpression(f"{self._source!r}: a name expected, not {self.text!r}")
        name = self._next().strip('`"')
        if self.text != "(":
            return Member(focus, name)
        self._next()
        arguments: list[Tree] = []
        while self.text != ")":
            arguments.append(self.level(0))
            if self.text != ")":
                self._expect(",")
        self._next()
        return Call(focus, name, tuple(arguments))

    def _term(self) -> Tree:
        match self.kind:
            case "number":
                text = self._next()
                return Literal(float(text) if "." in text else int(text))
            case "string":
                return Literal(_ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), self._next()[1:-1]))
            case "variable":
                return Variable(self._next().replace("`", "").replace("'", ""))
            case "name" if self.text in ("true", "false"):
                return Literal(self._next() == "true")
            case "name":
                return self._invocation(None)
            case "sign" if self.text == "(":
                self._next()
                tree = self.level(0)
                self._expect(")")
                return tree
            case "sign" if self.text == "{":
                self._next()
                self._expect("}")
                return Literal(None)
            case _:
                raise UnreadableExpression(f"{self._source!r}: unexpected {self.text!r}")
