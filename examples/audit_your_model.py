"""Audit a net that you already have: here one built with snnTorch, trained on spike coincidences.

pip install "beyondrate[bench]"
python examples/audit_your_model.py
"""

import snntorch as snn
import torch
from torch import Tensor, nn

import beyondrate as br

DT_S = 0.001


class LeakyNet(nn.Module):
    """Two layers of snnTorch's Leaky over (batch, time, unit); scores are the readout's mean membrane."""

    def __init__(self, n_units: int, n_classes: int, n_hidden: int = 40) -> None:
        super().__init__()
        self.hidden_weights = nn.Linear(n_units, n_hidden)
        self.hidden = snn.Leaky(beta=0.8)
        self.readout_weights = nn.Linear(n_hidden, n_classes)
        self.readout = snn.Leaky(beta=0.95, reset_mechanism="none")

    def forward(self, x: Tensor) -> Tensor:
        hidden_state, readout_state = self.hidden.init_leaky(), self.readout.init_leaky()
        membranes = []
        for current in self.hidden_weights(x).unbind(1):
            spikes, hidden_state = self.hidden(current, hidden_state)
            _, readout_state = self.readout(self.readout_weights(spikes), readout_state)
            membranes.append(readout_state)
        return torch.stack(membranes, 1).mean(1)


def main(n_train: int = 1500, n_test: int = 400, epochs: int = 12) -> br.AuditResult:
    """Train the net on coincidences of units, then audit it on new samples."""
    train = br.tasks.coincidence.generate(n_train, seed=0)
    validation = br.tasks.coincidence.generate(n_test, seed=1)
    test = br.tasks.coincidence.generate(n_test, seed=2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = LeakyNet(train.n_units, train.n_classes)
    settings = br.TrainingSettings(epochs=epochs, batch_size=50, learning_rate=1e-2)
    br.fit(net, train, validation, dt_s=DT_S, settings=settings)
    return br.audit(test, models={"snnTorch net": net}, dt_s=DT_S)


if __name__ == "__main__":
    print(main())
