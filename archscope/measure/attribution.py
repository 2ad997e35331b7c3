"""Whose time it was: from the events of one pass to times by module call and a named gap.

A pass is seen on two lines, the caller's (and other threads of the host) and the device's::

    caller   | conv1 ....... | bn1 ..... |              wait            |
               launch  launch   launch
    device          | kernel | kernel |       | kernel |
             |launch|<-- conv1's time -->|host |  bn1's |      idle      |

A kernel belongs to the module call in which its launch stands; of the backward pass, to the one
that ran the forward operator with the same sequence number. While no kernel runs, the device waits
for a launch that is on its way (``launch``), else for a caller that works (``host``), else for
nothing (``idle``). Kernels that run at the same time share it, so that layers and gap add up to
the whole. On a CPU the caller is the device, and operators are its kernels.

Everything here is a pure function of plain events; times are nanoseconds on one clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

CallKey = tuple[str, int]  # path of a module, and which of its calls: ("layer1.0.relu", 2)


@dataclass(frozen=True, slots=True)
class Span:
    """A call of a module, on the thread that called it."""

    path: str
    call: int
    thread: int
    start: int
    end: int

    @property
    def key(self) -> CallKey:
        return self.path, self.call


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator on the host.

    ``sequence`` is the number that a forward operator shares with the node of the backward pass
    that differentiates it; a ``node`` is such a one. A node without a number, which accumulates a
    gradient, belongs to the node that ran before it on its thread.
    """

    thread: int
    start: int
    end: int
    sequence: int | None = None
    node: bool = False


@dataclass(frozen=True, slots=True)
class Launch:
    """The host hands work to the device; ``correlation`` is what it shares with that work."""

    correlation: int
    thread: int
    start: int


@dataclass(frozen=True, slots=True)
class Kernel:
    """Work of the device."""

    correlation: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Wait:
    """The caller waits for the device."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Events:
    """Everything that was seen of one pass, in any order; ``caller`` is the thread that ran it."""

    start: int
    end: int
    caller: int
    spans: Sequence[Span] = ()
    operators: Sequence[Operator] = ()
    launches: Sequence[Launch] = ()
    kernels: Sequence[Kernel] = ()
    waits: Sequence[Wait] = ()


@dataclass(slots=True)
class Spent:
    """The time of one module call without the modules inside, in ns."""

    own: float = 0.0  # the device's, forward and backward
    backward: float = 0.0  # of it
    host: float = 0.0  # the device waited while the caller worked here
    kernels: int = 0


@dataclass(slots=True)
class Times:
    """One pass: ``calls`` by module call, what belongs to none, and the rest of the gap, in ns."""

    whole: float
    calls: dict[CallKey, Spent] = field(default_factory=dict)
    parents: Mapping[CallKey, CallKey | None] = field(default_factory=dict)
    outside: Spent = field(default_factory=Spent)
    launch: float = 0.0
    idle: float = 0.0

    @property
    def host(self) -> float:
        """All of the time for which the device waited for the caller."""
        return self.outside.host + sum(spent.host for spent in self.calls.values())

    @property
    def own(self) -> float:
        """All of the device's time."""
        return self.outside.own + sum(spent.own for spent in self.calls.values())


@dataclass(frozen=True, slots=True)
class _Owner:
    key: CallKey | None = None
    backward: bool = False


_NOBODY = _Owner()


def attribute(events: Events, *, on_cpu: bool) -> Times:
    """Give every nanosecond of a pass to a module call or to a named gap.

    Args:
        events: of the pass, in any order.
        on_cpu: operators are the work, and there are neither launches nor kernels.

    Returns:
        Times whose ``own``, ``host``, ``launch`` and ``idle`` add up to the whole.
    """
    owners = _owners(events)
    times = Times(
        whole=events.end - events.start,
        calls={span.key: Spent() for span in sorted(events.spans, key=lambda span: span.start)},
        parents=_parents(events.spans),
    )
    work: list[tuple[int, int, int | _Owner]]
    if on_cpu:
        work = [(op.start, op.end, op.thread) for op in _outermost(events.operators)]
        _count_operators(events, owners, times)
        _sweep(events, work, owners, times)
    else:
        launched = {launch.correlation: launch for launch in events.launches}
        busy = [(kernel, _launcher(kernel, launched, owners)) for kernel in events.kernels]
        for _, owner in busy:
            _spent(times, owner).kernels += 1
        work = [(kernel.start, kernel.end, owner) for kernel, owner in busy]
        _sweep(events, work, owners, times)
    return times


def _launcher(
    kernel: Kernel, launched: Mapping[int, Launch], owners: Mapping[int, _Line]
) -> _Owner:
    launch = launched.get(kernel.correlation)
    if launch is None or launch.thread not in owners:
        return _NOBODY
    return owners[launch.thread].at(launch.start)


def _spent(times: Times, owner: _Owner) -> Spent:
    return times.outside if owner.key is None else times.calls[owner.key]


def _count_operators(events: Events, owners: Mapping[int, _Line], times: Times) -> None:
    for op in _outermost(events.operators):
        _spent(times, owners[op.thread].at(op.start)).kernels += 1


def _sweep(
    events: Events,
    work: Iterable[tuple[int, int, int | _Owner]],
    owners: Mapping[int, _Line],
    times: Times,
) -> None:
    """Walk from one instant at which anything changes to the next.

    The owner of a piece of work is given, or it is whoever runs on its thread.
    """
    changes: list[tuple[int, int, str, int | _Owner]] = []
    for start, end, owner in work:
        changes += _within(events, start, end, "work", owner)
    for start, end in _pending(events):
        changes += _within(events, start, end, "launch", 0)
    for wait in events.waits:
        changes += _within(events, wait.start, wait.end, "wait", 0)
    for line in owners.values():
        changes += [(t, 0, "", 0) for t in line.starts if events.start < t < events.end]
    changes.append((events.end, 0, "", 0))
    active: dict[str, list[int | _Owner]] = {"work": [], "launch": [], "wait": [], "": []}
    caller = owners.get(events.caller, _Line((), ()))
    last = events.start
    for instant, step, what, owner in sorted(changes, key=lambda change: change[0]):
        if instant > last:
            _give(instant - last, active, owners, caller.at(last), last, times)
            last = instant
        if step > 0:
            active[what].append(owner)
        elif step < 0:
            active[what].remove(owner)


def _give(
    duration: int,
    active: Mapping[str, Sequence[int | _Owner]],
    owners: Mapping[int, _Line],
    caller: _Owner,
    instant: int,
    times: Times,
) -> None:
    working = active["work"]
    for one in working:
        owner = one if isinstance(one, _Owner) else owners[one].at(instant)
        spent = _spent(times, owner)
        spent.own += duration / len(working)
        if owner.backward:
            spent.backward += duration / len(working)
    if working:
        return
    if active["launch"]:
        times.launch += duration
    elif active["wait"]:
        times.idle += duration
    else:
        _spent(times, caller).host += duration


def _within(
    events: Events, start: int, end: int, what: str, owner: int | _Owner
) -> list[tuple[int, int, str, int | _Owner]]:
    """Where it begins and where it ends, as far as that is inside of the pass."""
    start, end = max(start, events.start), min(end, events.end)
    return [(start, 1, what, owner), (end, -1, what, owner)] if end > start else []


def _pending(events: Events) -> Iterator[tuple[int, int]]:
    """From every launch until its kernel starts, or the last kernel if it launched a graph."""
    starts: dict[int, int] = {}
    for kernel in events.kernels:
        starts[kernel.correlation] = max(kernel.start, starts.get(kernel.correlation, kernel.start))
    for launch in events.launches:
        if launch.correlation in starts:
            yield launch.start, starts[launch.correlation]


@dataclass(frozen=True, slots=True)
class _Line:
    """Who is innermost on a thread: from ``starts[i]`` on, ``owners[i]``."""

    starts: Sequence[int]
    owners: Sequence[_Owner]

    def at(self, instant: int) -> _Owner:
        i = bisect_right(self.starts, instant) - 1
        return self.owners[i] if i >= 0 else _NOBODY


def _owners(events: Events) -> dict[int, _Line]:
    """The line of every thread, from the calls and the backward's nodes that run on it."""
    forward = _forward_owners(events)
    found: dict[int, list[tuple[int, int, _Owner]]] = {events.caller: []}
    for op in events.operators:
        found.setdefault(op.thread, [])
    for launch in events.launches:
        found.setdefault(launch.thread, [])
    for span in events.spans:
        found.setdefault(span.thread, []).append((span.start, span.end, _Owner(span.key)))
    last: dict[int, _Owner] = {}
    for op in sorted(events.operators, key=lambda op: op.start):
        if not op.node:
            continue
        if op.sequence is not None:
            last[op.thread] = _Owner(forward.get(op.sequence), backward=True)
        found[op.thread].append((op.start, op.end, last.get(op.thread, _NOBODY)))
    return {thread: _line(intervals) for thread, intervals in found.items()}


def _forward_owners(events: Events) -> dict[int, CallKey]:
    """Sequence number -> the module call that made it.

    Operators that make no node carry the number of the next one, so the last to carry it made it.
    """
    spans: dict[int, list[tuple[int, int, _Owner]]] = {}
    for span in events.spans:
        spans.setdefault(span.thread, []).append((span.start, span.end, _Owner(span.key)))
    lines = {thread: _line(intervals) for thread, intervals in spans.items()}
    made: dict[int, CallKey] = {}
    for op in sorted(events.operators, key=lambda op: op.start):
        if op.node or op.sequence is None:
            continue
        key = lines[op.thread].at(op.start).key if op.thread in lines else None
        if key is None:
            made.pop(op.sequence, None)
        else:
            made[op.sequence] = key
    return made


def _line(intervals: Iterable[tuple[int, int, _Owner]]) -> _Line:
    """Nested intervals as a line of the innermost."""
    changes: list[tuple[int, _Owner]] = []
    stack: list[tuple[int, _Owner]] = []  # end, owner

    def close(until: int) -> None:
        while stack and stack[-1][0] <= until:
            end, _ = stack.pop()
            changes.append((end, stack[-1][1] if stack else _NOBODY))

    for start, end, owner in sorted(intervals, key=lambda one: (one[0], -one[1])):
        close(start)
        end = min(end, stack[-1][0]) if stack else end  # clocks are rounded
        stack.append((end, owner))
        changes.append((start, owner))
    if stack:
        close(max(end for end, _ in stack))
    return _Line([instant for instant, _ in changes], [owner for _, owner in changes])


def _outermost(operators: Iterable[Operator]) -> list[Operator]:
    """Operators that no other one of their thread called."""
    found: list[Operator] = []
    until: dict[int, int] = {}
    for op in sorted(operators, key=lambda op: (op.start, -op.end)):
        if op.start >= until.get(op.thread, op.start):
            found.append(op)
            until[op.thread] = op.end
    return found


def _parents(spans: Iterable[Span]) -> dict[CallKey, CallKey | None]:
    """Call -> the call that it was made in."""
    parents: dict[CallKey, CallKey | None] = {}
    open_on: dict[int, list[Span]] = {}
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        stack = open_on.setdefault(span.thread, [])
        while stack and stack[-1].end <= span.start:
            stack.pop()
        parents[span.key] = stack[-1].key if stack else None
        stack.append(span)
    return parents
