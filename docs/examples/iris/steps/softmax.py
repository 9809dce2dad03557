"""Softmax regression, used by two steps."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass
class Softmax:
    """A model whose class scores are linear in the standardized features."""

    classes: list[str]
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray

    @classmethod
    def start(cls, features: pd.DataFrame, labels: pd.Series) -> Softmax:
        classes = sorted(labels.unique())
        weights = np.zeros((features.shape[1] + 1, len(classes)))
        return cls(classes, features.mean().to_numpy(), features.std().to_numpy(), weights)

    def probabilities(self, features: pd.DataFrame) -> np.ndarray:
        scores = self._scaled(features) @ self.weights
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        return exponents / exponents.sum(axis=1, keepdims=True)

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        return np.array(self.classes)[self.probabilities(features).argmax(axis=1)]

    def learn(self, features: pd.DataFrame, labels: pd.Series, rate: float) -> float:
        """Do one step of gradient descent, and return the loss before it."""
        truth = (labels.to_numpy()[:, None] == np.array(self.classes)).astype(float)
        found = self.probabilities(features)
        self.weights -= rate * self._scaled(features).T @ (found - truth) / len(labels)
        return float(-np.mean(np.log((found * truth).sum(axis=1))))

    def to_json(self) -> str:
        arrays = {name: getattr(self, name).tolist() for name in ("mean", "scale", "weights")}
        return json.dumps({"classes": self.classes, **arrays})

    @classmethod
    def from_json(cls, text: str) -> Softmax:
        held = json.loads(text)
        return cls(held["classes"], *(np.array(held[name]) for name in ("mean", "scale", "weights")))

    def _scaled(self, features: pd.DataFrame) -> np.ndarray:
        scaled = (features.to_numpy() - self.mean) / self.scale
        return np.hstack([scaled, np.ones((len(scaled), 1))])
