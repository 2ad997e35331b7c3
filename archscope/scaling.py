"""How peak memory grows with the batch, the resolution or the sequence: the law, not a regression.

Storages' sizes are polynomials in such a size, whole-numbered ones, so the bytes alive at each
operator are too: a few traces give every coefficient exactly, as fractions of integers. The peak is
the largest of these polynomials, so it is a polynomial in pieces: which operator it falls on may
change with the size. More traces, which the fit has not seen, check the law.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import isqrt
from typing import Any

from archscope.analyzers.memory import bytes_alive, peak_bytes
from archscope.arguments import checked, function, one_of, positive
from archscope.errors import ArchscopeError, InvalidInput
from archscope.trace.records import Trace

DEGREES = {"batch": 1, "size": 2, "seq_len": 2}
_LARGEST = 1 << 40  # nobody's batch


@dataclass(frozen=True, order=True)
class Polynomial:
    """constant + linear x + quadratic x^2, in bytes."""

    constant: Fraction
    linear: Fraction
    quadratic: Fraction

    def at(self, x: int) -> Fraction:
        return self.constant + self.linear * x + self.quadratic * x * x

    def minus(self, other: Polynomial) -> Polynomial:
        return Polynomial(
            self.constant - other.constant,
            self.linear - other.linear,
            self.quadratic - other.quadratic,
        )

    def first_positive_after(self, x: int) -> int | None:
        """The smallest whole number above x at which this is positive, if there is one."""
        if self.at(x + 1) > 0:
            return x + 1
        a, b, c = self.quadratic, self.linear, self.constant
        if a == 0:
            return None if b <= 0 else int(-c // b) + 1
        square = b * b - 4 * a * c
        if square < 0:
            return None
        root = Fraction(isqrt(int(square * 2**40)), 2**20)
        for zero in sorted(((-b - root) / (2 * a), (-b + root) / (2 * a))):
            for near in range(int(zero) - 1, int(zero) + 3):
                if near > x and self.at(near) > 0:
                    return near
        return None


@dataclass(frozen=True)
class Piece:
    """The polynomial that is the peak from ``start`` on, and the operator that it falls on."""

    start: int
    polynomial: Polynomial
    operator: str
    layer: str


@dataclass(frozen=True)
class Check:
    """A size that the fit has not seen: the bytes that the law gives and those of a trace."""

    x: int
    law: int
    traced: int

    @property
    def error(self) -> float:
        return self.law / self.traced - 1


@dataclass(frozen=True)
class Law:
    """Peak bytes as a function of one size.

    It holds for ``start``, ``start + step``, ``start + 2 step`` ...: a strided layer rounds in
    between. ``exact`` says whether every check agreed to the byte.
    """

    variable: str
    start: int
    step: int
    pieces: tuple[Piece, ...]
    checks: tuple[Check, ...]

    @property
    def exact(self) -> bool:
        return all(check.law == check.traced for check in self.checks)

    @cached_property
    def _exceptions(self) -> dict[int, int]:
        return {check.x: check.traced for check in self.checks if check.law != check.traced}

    def at(self, x: int) -> int:
        """Peak bytes at a size; what was traced counts more than the law."""
        if x in self._exceptions:
            return self._exceptions[x]
        piece = [piece for piece in self.pieces if piece.start <= x] or list(self.pieces[:1])
        return int(piece[-1].polynomial.at(x))

    def largest(self, budget: int) -> int | None:
        """The largest size whose peak is within a budget of bytes; None if not even the first."""
        if self.at(self.start) > budget:
            return None
        low, high = 0, 1
        while self._fits(high, budget):
            low, high = high, 2 * high
            if high > _LARGEST:
                raise ArchscopeError(f"memory does not grow with {self.variable}: any fits")
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._fits(middle, budget) else (low, middle)
        return self.start + low * self.step

    def _fits(self, steps: int, budget: int) -> bool:
        return self.at(self.start + steps * self.step) <= budget


@checked(
    sample=function,
    over=one_of(*DEGREES),
    start=positive,
    step=positive,
)
def memory_law(
    sample: Callable[[int], Trace], over: str = "batch", *, start: int = 1, step: int = 1
) -> Law:
    """The exact law of peak memory over one size.

    Args:
        sample: traces the model at a size, such as
            ``lambda n: archscope.trace(model, ((n, 3, 224, 224),), "training")``.
        over: "batch" grows linearly; "size" and "seq_len" at most quadratically.
        start: the smallest size of interest.
        step: the law is for start, start + step, start + 2 step ... For a resolution it should be
            the product of the model's strides, 32 for most.

    Raises:
        InvalidInput: an unknown size.
        ArchscopeError: whatever ``sample`` raises at one of the sizes.
    """
    degree = DEGREES[over]
    # Not from the first: a batch of one is often special (views in place of copies).
    fitted = [start + step * k for k in range(1, degree + 2)]
    held_out = [start, *(start + step * k for k in (degree + 2, 2 * degree + 5))]
    traces = {x: sample(x) for x in fitted}
    pieces = _envelope(_polynomials(traces), start, step)
    unchecked = Law(over, start, step, pieces, ())
    checks = [Check(x, unchecked.at(x), peak_bytes(sample(x))) for x in held_out]
    return Law(over, start, step, pieces, tuple(checks))


def _polynomials(traces: dict[int, Trace]) -> dict[Polynomial, tuple[str, str]]:
    """The bytes alive at each operator as polynomials, each with its operator and layer.

    Where the number of operators changes with the size (an unrolled loop), the peak as one.
    """
    xs = list(traces)
    first = traces[xs[0]]
    names = [[op.name for op in trace.ops] for trace in traces.values()]
    if any(other != names[0] for other in names):
        peaks = [peak_bytes(trace) for trace in traces.values()]
        return {_through(xs, peaks): ("", "")}
    curves = zip(*(bytes_alive(trace) for trace in traces.values()), strict=True)
    found: dict[Polynomial, tuple[str, str]] = {}
    seen: dict[tuple[int, ...], Polynomial] = {}
    for op, ys in zip(first.ops, curves, strict=True):
        if ys not in seen:
            seen[ys] = _through(xs, ys)
        found.setdefault(seen[ys], (op.name, op.module))
    return found


def _through(xs: Sequence[int], ys: Sequence[int]) -> Polynomial:
    """The polynomial through two or three points: Newton's divided differences."""
    slope = Fraction(ys[1] - ys[0], xs[1] - xs[0])
    bend = Fraction(0)
    if len(xs) == 3:
        next_slope = Fraction(ys[2] - ys[1], xs[2] - xs[1])
        bend = (next_slope - slope) / (xs[2] - xs[0])
    return Polynomial(
        constant=ys[0] - slope * xs[0] + bend * xs[0] * xs[1],
        linear=slope - bend * (xs[0] + xs[1]),
        quadratic=bend,
    )


def _envelope(
    polynomials: dict[Polynomial, tuple[str, str]], start: int, step: int
) -> tuple[Piece, ...]:
    """The largest of all polynomials, in pieces."""
    pieces: list[Piece] = []
    x: int | None = start
    while x is not None and x < _LARGEST:
        at = x
        top = max(polynomials, key=lambda p: (p.at(at), p.quadratic, p.linear))
        pieces.append(Piece(x, top, *polynomials[top]))
        overtaken = (p.minus(top).first_positive_after(at) for p in polynomials if p != top)
        following = min((other for other in overtaken if other is not None), default=None)
        x = None if following is None else following + (start - following) % step
    return tuple(pieces)


# -- what a person writes --------------------------------------------------------------------------


def sampler(
    reference: str,
    over: str,
    *,
    batch: int | None = None,
    input: Any = None,
    mode: str = "inference",
    options: Mapping[str, Any] | None = None,
    execution: Mapping[str, Any] | None = None,
) -> Callable[[int], Trace]:
    """A function that traces what a reference names at a batch, a resolution or a length.

    Args:
        reference: "vgg16", "torchvision:resnet50".
        over: "batch", "size" (height and width of the input) or "seq_len".
        batch: the batch size, unless it is what varies.
        input: the shape of one sample; the architecture's own by default.
        mode: "inference" or "training".
        options: of the architecture.
        execution: choices of ``archscope.trace``: ``{"optimizer": "adam", "amp": "bf16"}``.
    """
    from archscope.analysis import analyze

    def sample(x: int) -> Trace:
        changed: dict[str, Any] = {"batch": batch, "input": input, **(options or {})}
        if over == "size":
            changed["input"] = (*image[:-2], x, x)
        else:
            changed[over] = x
        return analyze(reference, mode=mode, execution=execution, **changed).trace

    image = image_of(reference, input, mode, options) if over == "size" else ()
    return sample


def image_of(
    reference: str, input: Any, mode: str, options: Mapping[str, Any] | None
) -> tuple[int, ...]:
    """The shape of one image that a reference takes.

    Raises:
        InvalidInput: it takes none, so it has no resolution.
    """
    from archscope.analysis import analyze

    trace = analyze(reference, input=input, mode=mode, **(options or {})).trace
    shape = trace.inputs[0][1][1:] if trace.inputs else ()
    if len(shape) < 3:
        raise InvalidInput(f"the input of {reference} is no image; it has no size to scale over")
    return shape


def in_steps(start: int, stop: int, step: int) -> Iterable[int]:
    """A few sizes to print, each about twice the one before: 1, 2, 4 ... stop."""
    x = start
    while x < stop:
        yield x
        x += max((x // step) * step, step)
    yield stop - (stop - start) % step
