from pathlib import Path

import pytest
import torch

from beyondrate import InputError
from beyondrate.nn import CountMLP, SpikingNet
from beyondrate.training import load_checkpoint, save_checkpoint


@pytest.mark.parametrize(
    "network",
    [
        SpikingNet(
            6, 3, dt_s=0.01, hidden=(5,), delays="learned", generator=torch.Generator().manual_seed(1)
        ),
        CountMLP(6, 3, hidden=(5,), generator=torch.Generator().manual_seed(1)),
    ],
    ids=["SpikingNet", "CountMLP"],
)
def test_a_network_comes_back_as_it_was(network: torch.nn.Module, tmp_path: Path):
    path = tmp_path / "net.safetensors"
    save_checkpoint(network, path, facts={"dt_s": 0.01})
    found, facts = load_checkpoint(path)
    assert facts == {"dt_s": 0.01}
    assert type(found) is type(network)
    assert found.config == network.config
    x = (torch.rand(4, 30, 6, generator=torch.Generator().manual_seed(2)) < 0.2).float()
    expected = network.eval()(x)
    assert expected.std() > 0
    assert torch.equal(found.eval()(x), expected)


def test_a_changed_byte_of_the_weights_is_noticed(tmp_path: Path):
    path = tmp_path / "net.safetensors"
    save_checkpoint(CountMLP(6, 3, hidden=(5,)), path)
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="SHA-256"):
        load_checkpoint(path)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path):
    path = tmp_path / "net.safetensors"
    with pytest.raises(InputError, match="no such file"):
        load_checkpoint(path)
    path.write_bytes(b"not a checkpoint at all")
    with pytest.raises(InputError, match="no checkpoint"):
        load_checkpoint(path)


def test_weights_that_are_no_numbers_are_not_kept(tmp_path: Path):
    network = CountMLP(6, 3, hidden=(5,))
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(InputError, match="no number"):
        save_checkpoint(network, tmp_path / "net.safetensors")
    assert not list(tmp_path.iterdir())
