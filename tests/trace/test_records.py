"""What a trace says of itself."""

import archscope


def test_a_trace_is_told_in_one_line():
    trace = archscope.analyze("resnet18").trace
    assert repr(trace) == (
        f"<Trace of resnet18: inference, batch 1, {len(trace.ops):,} operators in "
        f"{len(trace.calls):,} module calls, 1,814,073,344 MACs>"
    )
