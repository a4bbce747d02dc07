"""Schedulers: who goes on at each rung."""

from raynas.schedulers.asha import Asha

__all__ = ["Asha"]
