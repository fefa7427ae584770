"""Stand-alone worker: speaks a list of utterances with espeak-ng and exits; run as a script, never imported.

espeak-ng keeps its noise sources and voices in global state, so its output can be repeated only by a fresh
process that makes the same calls in the same order. Standard input: JSON with "library" and "data" (paths)
and "utterances" (a list of text, voice, rate_wpm, pitch, pitch_range). Standard output: one line of JSON
with "rate_hz" and "lengths", then the samples of all utterances, int16 little endian.
"""

import ctypes
import json
import sys
from typing import Any

SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples go to the callback, and espeak_Synth returns at the end
DO_NOT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT
UTF8 = 1  # espeakCHARS_UTF8
PARAMETERS = {"rate_wpm": 1, "pitch": 3, "pitch_range": 4}  # espeakRATE, espeakPITCH, espeakRANGE
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def main() -> None:
    """Read the job, speak, write the samples."""
    job = json.load(sys.stdin)
    espeak = ctypes.CDLL(job["library"])
    rate_hz = espeak.espeak_Initialize(SYNCHRONOUS, 0, job["data"].encode(), DO_NOT_EXIT)
    if rate_hz <= 0:
        raise SystemExit(f"espeak-ng does not start with the data in {job['data']}")
    samples = bytearray()

    def take(block: Any, count: int, events: Any) -> int:  # noqa: ANN401
        if block and count > 0:
            samples.extend(ctypes.string_at(block, 2 * count))
        return 0

    callback = CALLBACK(take)
    espeak.espeak_SetSynthCallback(callback)
    lengths = []
    for utterance in job["utterances"]:
        if espeak.espeak_SetVoiceByName(utterance["voice"].encode()) != 0:
            raise SystemExit(f"espeak-ng has no voice {utterance['voice']!r}")
        for name, parameter in PARAMETERS.items():
            espeak.espeak_SetParameter(parameter, int(utterance[name]), 0)
        text = utterance["text"].encode()
        espeak.espeak_ng_SetRandSeed(ctypes.c_long(1))  # else breathy voices draw their noise by the clock
        before = len(samples)
        if espeak.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 0, 0, UTF8, None, None) != 0:
            raise SystemExit(f"espeak-ng cannot speak {utterance['text']!r}")
        espeak.espeak_Synchronize()
        lengths.append((len(samples) - before) // 2)
    sys.stdout.buffer.write(json.dumps({"rate_hz": rate_hz, "lengths": lengths}).encode() + b"\n" + samples)


if __name__ == "__main__":
    main()
