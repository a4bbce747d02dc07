"""What strategies whose policy is a network of torch must do, besides what all do."""

from __future__ import annotations

import subprocess
import sys

from raynas import spaces
from raynas.testing.strategy import StrategyContract


class TorchStrategyContract(StrategyContract):
    def test_touches_no_random_state_of_torch(self):
        import torch

        before = torch.get_rng_state()
        session = self.begin(spaces.nasbench201())
        for _ in range(20):
            session.step()
        assert torch.equal(torch.get_rng_state(), before)

    def test_loads_torch_when_a_search_begins(self):
        check = (
            f"import sys, raynas; strategy = raynas.{type(self.make()).__name__}(); assert 'torch' not in sys.modules; "
            "strategy.begin(raynas.spaces.nasbench201(), (raynas.Objective(),), 0); assert 'torch' in sys.modules"
        )
        subprocess.run([sys.executable, "-c", check], check=True)
