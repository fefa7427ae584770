"""Speech synthesis in a process of its own."""

import importlib.util
import subprocess
import sys
import time

import numpy as np
import pytest

from beyondrate.audio import speech
from beyondrate.audio.speech import Utterance, speak
from beyondrate.errors import InputError, MissingExtraError

needs_speech = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="the extra speech is not installed"
)


@needs_speech
def test_the_same_list_gives_the_same_samples():
    utterances = [Utterance("seven", "en-us+f2"), Utterance("fünf", "de+m3", rate_wpm=120, pitch=20)]
    once, rate_hz = speak(utterances)
    time.sleep(1.1)  # f2 is breathy: its noise must not be seeded by the clock, in seconds
    again, _ = speak(utterances)
    assert rate_hz == 22_050
    assert [len(sound) for sound in once] == [len(sound) for sound in again]
    for sound, repeated in zip(once, again, strict=True):
        np.testing.assert_array_equal(sound, repeated)
        assert sound.dtype == np.int16
        assert np.abs(sound.astype(int)).max() > 3000


@needs_speech
def test_rate_voice_and_pitch_are_heard():
    def length(**how):
        return len(speak([Utterance("seven", "en-us", **how)])[0][0])

    assert length(rate_wpm=100) > 1.3 * length(rate_wpm=200)
    sounds, _ = speak(
        [Utterance("two", "en-us+m3"), Utterance("two", "en-us+f2"), Utterance("two", "en-us+m3", pitch=90)]
    )
    assert not any(np.array_equal(sounds[0], other) for other in sounds[1:])


@needs_speech
def test_an_unknown_voice_is_named():
    with pytest.raises(InputError, match="no-such-voice"):
        speak([Utterance("one", "no-such-voice")])


def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(speech.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"beyondrate\[speech\]"):
        speak([Utterance("one", "en-us")])


@needs_speech
def test_the_package_never_loads_the_synthesiser():
    program = (
        "import sys; from beyondrate.audio.speech import speak, Utterance;"
        "speak([Utterance('one', 'en-us')]);"
        "sys.exit('espeakng_loader' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
