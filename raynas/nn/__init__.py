"""From graphs to trained torch modules. Imports torch; nothing above `spaces` does before a model is needed."""

from raynas.nn.build import Network, build, model

__all__ = ["Network", "build", "model"]
