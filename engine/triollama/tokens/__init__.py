"""Tokens, counted without running the model; what they cost, and whether they fit.

==================  ==========================================================================
module              owns
==================  ==========================================================================
counting            which servers are asked, threads, what is kept
shelf, told         the tokenizers that are kept; reading what servers tell
tokenizer           a model's tokenizer: special tokens, then one of the families
bpe, spm, unigram,  the families, each for texts without special tokens
wordpiece
special,            cutting at special tokens; cutting into words
pretokenizers
vocabulary          ``model_info``, checked and made whole
counts              counts and estimates
context, prices     what counts are for
==================  ==========================================================================

Imports point downward. The engine imports this when it is first asked for a count.
"""

from .context import ContextCheck
from .counts import TokenCount
from .errors import ContextExceededError, TokenizerError
from .prices import Price, Prices
from .tokenizer import Tokenizer

__all__ = [
    "ContextCheck",
    "ContextExceededError",
    "Price",
    "Prices",
    "TokenCount",
    "Tokenizer",
    "TokenizerError",
]
