"""Operators that torch takes apart differently by device and mode, recorded whole.

On the meta device attention becomes matrix products, and a recurrent layer thirty operators a
step; on the CPU and on a GPU each is a kernel. Here each is one operator with a closed form.
The kernels are registered for the length of a run where autograd would dispatch, so they hold for
every way of calling: from Python, from C++, with and without gradients.
"""

from archscope.trace.fused.registration import closed_forms

__all__ = ["closed_forms"]
