"""From sound to spikes: the cochlea encoder, speech synthesis, and corpora of recordings."""

from beyondrate.audio.corpus import encode_files, encode_to_file
from beyondrate.audio.encoder import Encoder, EncoderStream

__all__ = ["Encoder", "EncoderStream", "encode_files", "encode_to_file"]
