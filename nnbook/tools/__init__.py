"""Weights carried to and from other tools: Keras's layouts, flattened pictures, BERT as torch's own encoder.

    model.set_weights(to_keras(params, model))          params = from_keras(model)

Not part of the core. torch and Hugging Face Transformers need none of this where names agree: `to_torch`,
`from_torch`, `save_safetensors` and `load_safetensors` are enough. The page "The same three programs in four
tools" uses every function.
"""

from .encoders import *
from .flattened import *
from .keras_weights import *
