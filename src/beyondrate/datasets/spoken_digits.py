"""Spoken digits that a fresh machine makes itself: synthetic speech through the cochlea encoder.

20 classes, the digits 0 to 9 in English and German, spoken by 12 synthetic speakers, two of whom are heard
in the test part only: the shape of the Spiking Heidelberg Digits (Cramer et al., IEEE TNNLS 33, 2022). In the
full size there are 14 speakers, four of them unseen.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int16

from beyondrate import storage
from beyondrate.audio import vary
from beyondrate.audio.encoder import ENCODER_VERSION, Encoder, Spikes
from beyondrate.audio.parallel import in_threads
from beyondrate.audio.speech import Utterance, require_speech, speak
from beyondrate.datasets.cache import cache_folder
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains, offsets_from_lengths
from beyondrate.progress import Progress, silent

Range = tuple[float, float]

ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
GERMAN = ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
WORDS = ENGLISH + GERMAN
PUNCTUATION = ("", ".", "?", "!", ",")


class Speaker(NamedTuple):
    """A synthetic speaker: espeak-ng's voice variant, accent of English, and what makes the voice its own."""

    variant: str
    accent: str
    pitch: int
    rate_wpm: int
    tract: float


SPEAKERS = (
    Speaker("m1", "en-us", 45, 165, 1.00),
    Speaker("f1", "en-us", 55, 175, 1.03),
    Speaker("m3", "en", 35, 150, 0.96),
    Speaker("f2", "en", 60, 185, 1.06),
    Speaker("m4", "en-gb-scotland", 50, 170, 1.02),
    Speaker("f3", "en-gb-x-rp", 45, 160, 1.00),
    Speaker("m7", "en-us", 40, 190, 0.94),
    Speaker("f4", "en-gb-scotland", 50, 155, 1.05),
    Speaker("m5", "en-gb-x-rp", 55, 180, 0.98),
    Speaker("f5", "en-us", 65, 170, 1.08),
    Speaker("m2", "en", 48, 172, 0.97),
    Speaker("m6", "en-us", 42, 165, 1.01),
)
MORE_UNSEEN = (  # in the full size
    Speaker("Annie", "en-gb-x-rp", 52, 168, 1.04),
    Speaker("Michael", "en", 44, 178, 0.95),
)


@dataclass(frozen=True)
class Recipe:
    """How takes differ; each range is drawn from uniformly for every take. Harder: widen, or lower snr_db.

    Args:
        tempo: factor on the speaker's words a minute.
        pitch_sd: standard deviation of the pitch about the speaker's, in espeak-ng's units (0 to 100).
        pitch_range: liveliness of the melody, in espeak-ng's units.
        tract: factor on the speaker's vocal tract scale (formants, pitch and tempo together).
        warp: standard deviation of the logarithm of the speed within a word.
        tilt_db: slope of the spectrum in dB an octave.
        room_decay_s: time in which the room's echo falls by e.
        room_below_db: how far the echo's energy lies below the word's.
        snr_db: level of the word over the noise.
        noise_cutoff_hz: above it the noise falls by 12 dB an octave.
        onset_s: time before the word, and drawn once more for the time after it.
        longest_s: length of every sample; a word that does not fit in it is spoken faster.
        test_speakers: speakers heard in the test part only, as are all of MORE_UNSEEN.
        test_share: share of the other speakers' takes that are also test.
        encoder_rate_hz: internal rate of the encoder.
    """

    tempo: Range = (0.65, 1.6)
    pitch_sd: float = 12.0
    pitch_range: Range = (10, 95)
    tract: Range = (0.90, 1.10)
    warp: float = 0.15
    tilt_db: Range = (-3.0, 3.0)
    room_decay_s: Range = (0.01, 0.05)
    room_below_db: Range = (4.0, 16.0)
    snr_db: Range = (5.0, 20.0)
    noise_cutoff_hz: Range = (500.0, 8000.0)
    onset_s: Range = (0.02, 0.12)
    longest_s: float = 1.0
    test_speakers: tuple[int, ...] = (10, 11)
    test_share: float = 0.05
    encoder_rate_hz: int = 24_000

    def __post_init__(self) -> None:
        around_s = self.onset_s[1] + max(self.onset_s[1], 6 * self.room_decay_s[1])
        if self.longest_s < around_s + 0.2:
            raise InputError(
                f"longest_s is {self.longest_s} s",
                remedy=f"leave 0.2 s for the word: {around_s + 0.2:.2f} or more",
            )


class Size(NamedTuple):
    """How many takes every speaker gives of every class, and the encoder's number of channels."""

    takes: int
    n_channels: int


SIZES = {"mini": Size(2, 128), "standard": Size(12, 700), "full": Size(36, 700)}


def speakers_of(size: str) -> tuple[Speaker, ...]:
    """Return who speaks in a size of the set.

    Example:
        >>> [len(speakers_of(size)) for size in SIZES]
        [12, 12, 14]
    """
    return SPEAKERS + MORE_UNSEEN if size == "full" else SPEAKERS


class _Plan(NamedTuple):
    """What all speakers' parts have in common."""

    size: Size
    speakers: tuple[Speaker, ...]
    recipe: Recipe
    seed: int
    workers: int | None
    progress: Progress


class _Take(NamedTuple):
    utterance: Utterance
    label: int
    seed: int


def build(
    size: str = "standard",
    *,
    recipe: Recipe = Recipe(),
    seed: int = 0,
    folder: str | Path | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> SpikeTrains:
    """Make the data set, or read it if it was made before; an interrupted build goes on by speaker.

    Args:
        size: "mini" (480 takes, 128 channels), "standard" (2,880 takes, 700 channels) or "full" (10,080).
        recipe: how takes differ.
        seed: of every choice and of the encoder's noise.
        folder: where the file is kept; default: the cache folder.
        workers: threads; default: one a core.
        progress: told after each take.

    Returns:
        The trains; groups are the speakers, ``meta["split"]`` says "train" or "test" of each sample.

    Raises:
        MissingExtraError: if it has to be made and the extra ``speech`` is not installed.
        InputError: for an unknown size, or a folder that cannot be written.

    Example:
        >>> build("mini")  # doctest: +SKIP
        SpikeTrains(480 samples, 608,659 spikes, 128 units, 1000 ms, 20 classes)
    """
    if size not in SIZES:
        raise InputError(f"size is {size!r}", remedy=f"choose from {', '.join(SIZES)}")
    path = file_path(size, recipe=recipe, seed=seed, folder=folder)
    if path.exists():
        return storage.load(path)
    require_speech()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder cannot be made ({error.strerror})",
            remedy="choose another with the environment variable BEYONDRATE_DATA",
            file=path.parent,
        ) from error
    speakers = speakers_of(size)
    plan = _Plan(SIZES[size], speakers, recipe, seed, workers, progress)
    part_paths = [path.with_name(f"{path.stem}.speaker-{i:02}.h5") for i in range(len(speakers))]
    trains = _joined([_part(part_path, i, plan) for i, part_path in enumerate(part_paths)])
    storage.save(trains, path)
    for part_path in part_paths:
        part_path.unlink(missing_ok=True)
    return trains


def file_path(
    size: str = "standard",
    *,
    recipe: Recipe = Recipe(),
    seed: int = 0,
    folder: str | Path | None = None,
) -> Path:
    """Return where the data set of this size, recipe and seed is kept."""
    facts = {"recipe": asdict(recipe), "speakers": speakers_of(size), "size": SIZES[size], "seed": seed}
    key = json.dumps({**facts, "encoder": ENCODER_VERSION}, sort_keys=True)
    name = f"spoken-digits-{size}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.h5"
    return (Path(folder) if folder is not None else cache_folder()) / name


def _part(path: Path, speaker: int, plan: _Plan) -> SpikeTrains:
    """Make one speaker's takes and keep them, or read what an interrupted build kept."""
    n_takes = plan.size.takes * len(WORDS)
    if path.exists():
        plan.progress((speaker + 1) * n_takes, len(plan.speakers) * n_takes, f"speaker {speaker}")
        return storage.load(path)
    trains = _made(speaker, plan)
    storage.save(trains, path)
    return trains


def _made(speaker: int, plan: _Plan) -> SpikeTrains:
    """Speak, vary and encode the takes of one speaker."""
    recipe, seed = plan.recipe, plan.seed
    takes = _planned(speaker, plan)
    speech, rate_hz = speak([take.utterance for take in takes])
    encoder = Encoder(plan.size.n_channels, rate_hz=recipe.encoder_rate_hz, seed=seed)

    def encode(i: int) -> Spikes:
        rng = np.random.default_rng(takes[i].seed)
        sound = _varied(speech[i], rate_hz, plan.speakers[speaker].tract, recipe, rng)
        return encoder.encode(sound, rate_hz, stream=speaker * len(takes) + i)

    spikes = []
    for found in in_threads(encode, range(len(takes)), plan.workers):
        spikes.append(found)
        plan.progress(
            speaker * len(takes) + len(spikes), len(plan.speakers) * len(takes), f"speaker {speaker}"
        )
    audio = hashlib.sha256(b"".join(sound.tobytes() for sound in speech)).hexdigest()
    return SpikeTrains.from_samples(
        spikes,
        labels=[take.label for take in takes],
        groups=[speaker] * len(takes),
        n_units=encoder.n_channels,
        duration_us=round(recipe.longest_s * 1e6),
        meta={
            "source": "synthetic speech (espeak-ng) through the cochlea encoder of beyondrate",
            "label_names": [f"{word} ({'en' if word in ENGLISH else 'de'})" for word in WORDS],
            "group_names": [f"speaker {i}" for i in range(len(plan.speakers))],
            "split": _split(speaker, len(takes), recipe, seed),
            "audio_sha256": [audio],
            "recipe": asdict(recipe),
            "encoder": encoder.settings,
        },
    )


def _planned(speaker: int, plan: _Plan) -> list[_Take]:
    """Draw what the speaker says, and how."""
    recipe = plan.recipe
    rng = np.random.default_rng([plan.seed, speaker])
    voice = plan.speakers[speaker]
    takes = []
    for label, word in enumerate(WORDS):
        language = voice.accent if label < len(ENGLISH) else "de"
        for _ in range(plan.size.takes):
            utterance = Utterance(
                text=word + PUNCTUATION[rng.integers(len(PUNCTUATION))],
                voice=f"{language}+{voice.variant}",
                rate_wpm=int(np.clip(voice.rate_wpm * rng.uniform(*recipe.tempo), 80, 450)),
                pitch=int(np.clip(rng.normal(voice.pitch, recipe.pitch_sd), 0, 99)),
                pitch_range=int(rng.uniform(*recipe.pitch_range)),
            )
            takes.append(_Take(utterance, label, int(rng.integers(1 << 62))))
    return takes


def _varied(
    speech: Int16[np.ndarray, " samples"],
    rate_hz: int,
    tract: float,
    recipe: Recipe,
    rng: np.random.Generator,
) -> vary.Sound:
    """Put one spoken word through tape, microphone, room and noise."""
    n_before, n_after = (round(rng.uniform(*recipe.onset_s) * rate_hz) for _ in range(2))
    decay_s = rng.uniform(*recipe.room_decay_s)
    n_echo = round(6 * decay_s * rate_hz)
    n_longest = int(recipe.longest_s * rate_hz) - n_before - max(n_after, n_echo)
    word = vary.trimmed(speech.astype(np.float64))
    word = vary.warped(word, tract * rng.uniform(*recipe.tract), recipe.warp, n_longest, rng)
    word = vary.tilted(word, rate_hz, rng.uniform(*recipe.tilt_db))
    n_word = len(word)
    word = vary.in_room(word, rate_hz, decay_s, rng.uniform(*recipe.room_below_db), rng)
    power = np.sum(word**2) / n_word
    sound = np.zeros(n_before + max(len(word), n_word + n_after))
    sound[n_before : n_before + len(word)] = word
    hiss = vary.noise(len(sound), rate_hz, rng.uniform(*recipe.noise_cutoff_hz), rng)
    return sound + hiss * np.sqrt(power * 10 ** (-rng.uniform(*recipe.snr_db) / 10))


def _split(speaker: int, n_takes: int, recipe: Recipe, seed: int) -> list[str]:
    if speaker in recipe.test_speakers or speaker >= len(SPEAKERS):
        return ["test"] * n_takes
    rng = np.random.default_rng([seed, speaker, 1])
    test = set(rng.choice(n_takes, size=round(recipe.test_share * n_takes), replace=False).tolist())
    return ["test" if i in test else "train" for i in range(n_takes)]


def _joined(parts: list[SpikeTrains]) -> SpikeTrains:
    """Join the speakers' parts, one after another."""
    lengths = np.concatenate([part.spikes_per_sample for part in parts])
    listed = {
        name: [fact for part in parts for fact in part.meta[name]] for name in ("split", "audio_sha256")
    }
    return replace(
        parts[0],
        times_us=np.concatenate([part.times_us for part in parts]),
        units=np.concatenate([part.units for part in parts]),
        offsets=offsets_from_lengths(lengths),
        labels=np.concatenate([part.labels for part in parts]),
        groups=np.concatenate([part.groups for part in parts if part.groups is not None]),
        meta={**parts[0].meta, **listed},
    )
