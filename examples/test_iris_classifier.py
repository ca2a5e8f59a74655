"""A two-layer softmax classifier with a hand-written backward: checked first, then trained on Fisher's iris.

The backward is the chain rule from the loss to the input, right to left: softmax and cross entropy, an affine
layer, a relu, an affine layer. Only when it agrees with central differences is it worth training with.
"""

import csv
from pathlib import Path

import numpy as np

IRIS = Path(__file__).with_name("iris.csv")
SPECIES = ("setosa", "versicolor", "virginica")


class Classifier:
    """scores = relu(X W1 + b1) W2 + b2, and the mean cross entropy of softmax(scores) against the labels."""

    def __init__(self, labels):
        self.labels = labels

    def forward(self, X, W1, b1, W2, b2):
        z = X @ W1 + b1
        hidden = np.maximum(z, 0)
        probabilities = softmax(hidden @ W2 + b2)
        self.cache = X, W1, W2, z, hidden, probabilities
        rows = np.arange(len(X))
        return -np.log(probabilities[rows, self.labels]).mean()

    def backward(self, upstream):
        X, W1, W2, z, hidden, probabilities = self.cache
        rows = np.arange(len(X))
        d_scores = probabilities.copy()
        d_scores[rows, self.labels] -= 1  # softmax and cross entropy together: p - y
        d_scores *= upstream / len(X)
        d_z = (d_scores @ W2.T) * (z > 0)
        return d_z @ W1.T, X.T @ d_z, d_z.sum(axis=0), hidden.T @ d_scores, d_scores.sum(axis=0)


def softmax(scores):
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def load_iris():
    """Standardised measurements (150, 4) and labels (150,), 0 to 2."""
    with IRIS.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    X = np.array([[float(row[name]) for name in list(row)[:4]] for row in rows])
    labels = np.array([SPECIES.index(row["species"]) for row in rows])
    return (X - X.mean(axis=0)) / X.std(axis=0), labels


def initial_parameters(rng, inputs=4, hidden=16, classes=3):
    W1 = rng.standard_normal((inputs, hidden)) * np.sqrt(2 / inputs)
    W2 = rng.standard_normal((hidden, classes)) * np.sqrt(2 / hidden)
    return [W1, 0.1 * rng.standard_normal(hidden), W2, np.zeros(classes)]


def test_backward(gradcheck):
    X, labels = load_iris()
    batch = np.arange(0, 150, 15)
    parameters = initial_parameters(np.random.default_rng(0))
    gradcheck(Classifier(labels[batch]), X[batch], *parameters)


def test_training():
    X, labels = load_iris()
    rng = np.random.default_rng(1)
    order = rng.permutation(len(X))
    train, held_out = order[:100], order[100:]
    parameters = initial_parameters(rng)
    network = Classifier(labels[train])

    losses = []
    for _ in range(300):
        losses.append(network.forward(X[train], *parameters))
        _, *gradients = network.backward(1.0)
        parameters = [p - 0.5 * g for p, g in zip(parameters, gradients, strict=True)]

    W1, b1, W2, b2 = parameters
    predicted = (np.maximum(X[held_out] @ W1 + b1, 0) @ W2 + b2).argmax(axis=1)
    assert losses[-1] < losses[0] / 10
    assert (predicted == labels[held_out]).mean() >= 0.94


def test_the_data_are_fishers():
    X, labels = load_iris()
    assert X.shape == (150, 4)
    assert np.bincount(labels).tolist() == [50, 50, 50]
