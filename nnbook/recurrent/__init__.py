"""Recurrent networks: one step applied over and over, its gradients sent back through time.

All three kinds share one unrolling. A kind says how large its state is, how one step
goes (`step`) and how the gradient of one step goes back (`back`); everything else, the
projection of all inputs at once, masks, layers, directions, is written once. Derived in
chapter 8 (rnn) and chapter 9 (lstm, gru).
"""

from .cells import *
from .cells import __all__ as _cells
from .sequences import *
from .sequences import __all__ as _sequences
from .steps import _gru_back, _gru_step, _lstm_back, _lstm_step, _rnn_tanh_back, _rnn_tanh_step
from .unrolling import _choose, _collect, unroll

__all__ = [*_cells, *_sequences]
