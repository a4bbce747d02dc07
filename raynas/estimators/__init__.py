"""Estimators: what scores an architecture."""

from raynas.estimators.train import Train

__all__ = ["Train"]
