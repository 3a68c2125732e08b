"""nnbook: what is inside CNN, RNN and Transformer models, in plain NumPy, forward and backward.

Every function is derived in a chapter of the book and checked against PyTorch. Names, argument names and
defaults are those of torch.nn.functional, with `axis` where torch says `dim`. Importing loads NumPy alone.
"""

from .activations import *
from .attention import *
from .autodiff import *
from .bert import *
from .convolution import *
from .gradients import check_vjp, complex_step_gradient, numerical_gradient
from .interchange import from_torch, load_safetensors, save_safetensors, to_torch
from .layers import *
from .losses import *
from .normalization import *
from .optimizers import *
from .pooling import *
from .recurrent import *
from .transformer import *
