"""What is wrong in numpy-ml 0.1.2, one sentence for each failing check; `confirm.py` shows each of them to be true."""

from __future__ import annotations

PLAIN = "plain"

_HISTORY = (
    "flush_gradients sets the accumulators of the cell to [] where backward asks for None, so that the first backward "
    "after an update raises"
)
_PROPERTY = (
    "the base class assigns self.gradients, which this class declares as a property without a setter: it cannot be made"
)
_REPEATED = (
    "dW[ids] += dy counts a word once however often it stands in a bag, where forward sums it each time: np.add.at is "
    "needed"
)
_SIGNS = "the signs of dY_fake and dY_real are those of the negative loss: the critic's loss is mean(fake) - mean(real)"
_WRITES = "Dropout.backward multiplies the caller's upstream in place"


#: (name, variant) -> what is wrong.
CAUSES: dict[tuple[str, str], str] = {
    ("DotProductAttention", "used twice"): "flush_gradients does not reach the softmax inside, so that the second "
    "backward takes the scores of the first forward and fails on a list",
    ("DotProductAttention", "dropout"): "the dropout around the softmax scales the upstream but does not mask it: the "
    "scores that forward dropped are given a gradient",
    ("Embedding", "pool sum, repeated word"): _REPEATED,
    ("Embedding", "pool mean, repeated word"): _REPEATED,
    ("Softmax", "4-D"): "backward loops over two axes only and flattens the others into one softmax",
    ("Softmax", "dim 0"): "backward takes the softmax along the last axis whatever dim says",
    ("SparseEvolution", "as released"): "the mask is drawn with np.random.binomial(shape=...), a keyword that numpy "
    "does not have: the layer cannot start",
    ("SparseEvolution", "mask made by hand"): "dW is not masked: weights that the mask removes are given a gradient",
    ("Pool2D", "max, pad 1"): "backward looks for the maximum in the unpadded input at the places of the padded one",
    ("RNNCell", "after flush_gradients"): _HISTORY,
    ("LSTMCell", "after flush_gradients"): _HISTORY,
    ("RNN", "as released"): _PROPERTY,
    ("LSTM", "as released"): _PROPERTY,
    ("LSTM", "cell made by hand"): "backward unpacks the one array that the cell returns into two names: it raises, or "
    "with a batch of two keeps the gradient of the first example alone",
    ("WGAN_GPLoss", "critic"): _SIGNS,
    ("WGAN_GPLoss", "critic, more fake than real"): _SIGNS + ", and the penalty, a mean over the interpolated "
    "examples, is divided by the number of fake ones",
    ("NCELoss", "a target among the noise"): "where a target is also drawn as noise its own term is left out of dW and "
    "db, while the loss keeps it",
    ("BidirectionalLSTM", "merge multiply"): "backward compares merge_mode with 'multiplty', so that the documented "
    "'multiply' matches no branch",
    ("MultiHeadedAttentionModule", "one step each"): _WRITES,
    ("MultiHeadedAttentionModule", "four steps"): "the projections take axis 1, the steps, for the number of features: "
    "only two-dimensional inputs of one step each go through",
    ("SkipConnectionIdentityModule", "after flush_gradients"): "flush_gradients sets the lists of the components to "
    "None, and the next forward appends to them",
    ("Dropout", "nothing dropped"): _WRITES,
    ("Dropout", "half dropped"): "backward scales but does not mask: inputs that forward dropped are given a gradient, "
    "and the upstream is multiplied in place",
}
