"""Many recordings to spike trains, in memory or as a file; a broken one does not stop the rest."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import numpy as np

from beyondrate import storage
from beyondrate.audio.catalogue import Recording, catalogue, require_two_classes
from beyondrate.audio.encoder import BLOCK, Encoder
from beyondrate.audio.parallel import in_threads
from beyondrate.audio.parts import SPIKE, Done, Parts
from beyondrate.audio.sounds import open_sound
from beyondrate.errors import InputError
from beyondrate.events import MAX_DURATION_US, SpikeTrains, dt_in_us, offsets_from_lengths
from beyondrate.progress import Progress, silent
from beyondrate.storage import EventStream, Facts

FORMATS = ("h5", "shd", "npz", "csv", "nwb")
"""What recordings can be encoded to: the other formats hold the pixels of cameras."""

_IN_MEMORY = 1 << 22
"""Bytes of a recording's spikes from which on they wait on the disk."""


def encode_files(
    paths: Sequence[str | Path],
    labels: str,
    *,
    encoder: Encoder,
    group: str | None = None,
    clip_s: float | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> SpikeTrains:
    """Encode sound files whose spikes fit into memory; see `encode_to_file` for the arguments and errors.

    Example:
        >>> from scipy.io import wavfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, hz in (("low_ann", 300), ("high_ann", 2000)):
        ...         tone = np.sin(2 * np.pi * hz * np.arange(1600) / 8000)
        ...         wavfile.write(f"{folder}/{name}.wav", 8000, tone)
        ...     paths = list(Path(folder).glob("*.wav"))
        ...     trains = encode_files(paths, "{label}_{speaker}", encoder=Encoder(20))
        >>> trains.meta["label_names"], trains.meta["files"], trains.duration_us
        (['high', 'low'], ['high_ann', 'low_ann'], 200000)
    """
    recordings = catalogue(paths, labels, group)
    clip_us = None if clip_s is None else dt_in_us(clip_s, "clip")
    with (
        tempfile.TemporaryDirectory(prefix="beyondrate-") as folder,
        closing(Parts(Path(folder) / "parts", {})) as parts,
    ):
        _encode_all(recordings, encoder, clip_us, parts, workers, progress)
        return _stream(recordings, encoder, clip_us, parts).joined()


def encode_to_file(
    paths: Sequence[str | Path],
    labels: str,
    out: str | Path,
    *,
    encoder: Encoder,
    group: str | None = None,
    clip_s: float | None = None,
    format: str | None = None,
    resume: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
) -> Facts:
    """Encode sound files into an event file; memory grows neither with their number nor with their lengths.

    Every file is looked at before the work starts. A file that then cannot be decoded, or is silent, is left
    out and named in ``meta["failed"]``. A recording's noise is drawn from the encoder's seed and the
    recording's name, so it does not depend on the others.

    What is finished is kept in the folder ``OUT.parts`` until OUT is complete. A run that was stopped, by
    Ctrl-C or otherwise, goes on from there with ``resume``, to the same file as if it had not been stopped.

    Args:
        paths: wav files, or with the extra ``audio`` flac, ogg, mp3; any rate, channels are averaged.
        labels: how names are built, "{label}_{speaker}_{take}", or the path of a table; see `catalogue`.
        out: the file, .h5 or .npz; one that exists is replaced once the new one is complete.
        encoder: makes the spikes.
        group: the field of the names, or column of the table, that groups the samples.
        clip_s: cut recordings into samples of so many seconds, named FILE@START-END in microseconds; what is
            left after the last whole one is not used. The cochlea runs on across the cuts. Where nothing else
            groups the samples, their recording does.
        format: "h5" (ours), "shd" (SHD's HDF5 layout) or "npz"; default by suffix. The last two are put
            together in memory.
        resume: go on with what a stopped run has left.
        workers: threads; default: one a core.
        progress: told after each recording.

    Returns:
        What the file holds but for the spikes: one sample a recording, in the order of the paths, as long as
        the longest one, or a sample a clip. ``meta`` holds "label_names", "group_names", "files" (name of
        each sample), "failed" (name to reason), "warnings" (channels that heard nothing).

    Raises:
        InputError: if paths and labels do not fit (see `catalogue`), OUT cannot be written, a stopped run's
            leftovers are of other files or options, or fewer than two classes are left.
        MissingExtraError: if a file is not wav and the extra ``audio`` is not installed.
    """
    chosen = storage.check_writable(out, format=format)
    if chosen not in FORMATS:
        raise InputError(
            f"format {chosen!r} holds the pixels of cameras",
            remedy=f"give one of {', '.join(FORMATS)}",
            file=out,
        )
    recordings = catalogue(paths, labels, group)
    clip_us = None if clip_s is None else dt_in_us(clip_s, "clip")
    settings = {**encoder.settings, "clip": clip_us, "files and labels": _fingerprint(recordings)}
    with closing(Parts(parts_folder(out), settings, resume=resume)) as parts:
        _encode_all(recordings, encoder, clip_us, parts, workers, progress)
        try:
            made = _stream(recordings, encoder, clip_us, parts)
        except InputError:  # nothing to go on with
            parts.remove()
            raise
        exact_in_float32 = made.duration_us <= 16_000_000  # see storage.shd.write
        time_dtype = "float32" if exact_in_float32 else "float64"
        storage.save(made, out, format=format, time_dtype=time_dtype)
        parts.remove()
    return made


def parts_folder(out: str | Path) -> Path:
    """Return where the finished recordings of a file wait until all are."""
    target = Path(out).resolve()
    return target.with_name(f"{target.name}.parts")


def _fingerprint(recordings: list[Recording]) -> str:
    """Return a hash of what decides a run but for the encoder: the files as they are, labels and groups."""
    sha = hashlib.sha256()
    for recording in recordings:
        state = recording.path.stat()
        facts = (recording.name, recording.label, recording.group, state.st_size, state.st_mtime_ns)
        sha.update(repr(facts).encode())
    return sha.hexdigest()


class _StoppedError(Exception):
    """The work on a long recording is no longer wanted."""


def _encode_all(
    recordings: list[Recording],
    encoder: Encoder,
    clip_us: int | None,
    parts: Parts,
    workers: int | None,
    progress: Progress,
) -> None:
    """Encode what is not yet among the parts."""
    stopping = threading.Event()
    waiting: set[IO[bytes]] = set()  # spikes on their way to the parts

    def encode(recording: Recording) -> tuple[Done, IO[bytes]]:
        spikes = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(parts.folder))  # noqa: SIM115 (handed on)
        waiting.add(spikes)
        return _encoded(recording, encoder, clip_us, spikes, tell), spikes

    def tell(what: str) -> None:
        if stopping.is_set():
            raise _StoppedError
        progress(len(parts.done), len(recordings), what)

    try:
        with closing(in_threads(encode, recordings[len(parts.done) :], workers, stopping)) as encoded:
            for done, spikes in encoded:
                parts.add(done, spikes)
                waiting.remove(spikes)
                spikes.close()
                progress(len(parts.done), len(recordings), done.name)
    finally:
        for spikes in waiting:
            spikes.close()


def _encoded(
    recording: Recording,
    encoder: Encoder,
    clip_us: int | None,
    spikes: IO[bytes],
    tell: Callable[[str], None],
) -> Done:
    """Encode a recording and write its spikes to the stream; of a long one, tell how far it is."""
    number = int.from_bytes(hashlib.sha256(recording.name.encode()).digest()[:8], "big")
    try:
        sound = open_sound(recording.path)
        duration_us = -(-sound.n_samples * 1000 // sound.rate_hz) * 1000
        n_samples = 1 if clip_us is None else sound.n_samples * 10**6 // (sound.rate_hz * clip_us)
        _require_length(sound.seconds, duration_us, n_samples, clip_us)
        each_us = duration_us + 1 if clip_us is None else clip_us  # a spike at the very end is no new sample
        counts = np.zeros(n_samples, np.int64)
        encoded = encoder.encode_blocks(sound.blocks, sound.rate_hz, stream=number)
        for block, (times_us, units) in enumerate(encoded):
            if sound.n_samples > BLOCK:
                tell(f"{recording.name}: {block * BLOCK / sound.rate_hz:.0f} of {sound.seconds:.0f} s")
            sample = times_us // each_us
            used = sample < n_samples
            records = np.empty(np.count_nonzero(used), SPIKE)
            records["time_us"], records["unit"] = (times_us - sample * each_us)[used], units[used]
            spikes.write(records.tobytes())
            counts += np.bincount(sample[used], minlength=n_samples)
    except InputError as error:
        return Done(recording.name, (), failure=error.problem)
    return Done(recording.name, tuple(counts.tolist()), clip_us or duration_us, sound.rate_hz)


def _require_length(seconds: float, duration_us: int, n_samples: int, clip_us: int | None) -> None:
    if clip_us is None and duration_us > MAX_DURATION_US:
        most_s = MAX_DURATION_US // 10**6
        problem = f"lasts {seconds:.0f} s, but a sample {most_s} s at most: cut it into clips"
        raise InputError(problem, remedy="give clip_s")
    if n_samples == 0:
        raise InputError(f"lasts {seconds:.2g} s, less than one clip", remedy="give a shorter clip")


def _stream(recordings: list[Recording], encoder: Encoder, clip_us: int | None, parts: Parts) -> EventStream:
    """Return all samples, with what is known of them, as one stream."""
    failed = {done.name: done.failure for done in parts.done if done.failure}
    whole = [(r, done) for r, done in zip(recordings, parts.done, strict=True) if not done.failure]
    samples = [r for r, done in whole for _ in done.n_spikes]
    require_two_classes([r.label for r in samples], failed)
    label_names, labels = _numbered([r.label for r in samples])
    files = [r.name for r in samples]
    by = [r.group for r in samples]
    if clip_us is not None:
        by = [r.group or r.name for r in samples]  # no split may part the clips of one recording
        clips = [clip for _, done in whole for clip in range(len(done.n_spikes))]
        files = [f"{n}@{i * clip_us}-{(i + 1) * clip_us}" for n, i in zip(files, clips, strict=True)]
    named = [name for name in by if name is not None]
    group_names, groups = _numbered(named) if len(named) == len(samples) else ([], None)
    facts: dict[str, Any] = {
        "n_units": encoder.n_channels,
        "duration_us": max(done.duration_us for _, done in whole),
    }
    return EventStream(
        blocks=_blocks(parts, labels, facts),
        offsets=offsets_from_lengths(np.array([n for _, done in whole for n in done.n_spikes], np.int64)),
        labels=labels,
        groups=groups,
        **facts,
        meta={
            "source": "recordings through the cochlea encoder of beyondrate",
            "encoder": encoder.settings,
            "label_names": label_names,
            **({} if groups is None else {"group_names": group_names}),
            **({} if clip_us is None else {"clip_us": clip_us}),
            "files": files,
            "failed": failed,
            "warnings": _warnings(encoder, [done.rate_hz for _, done in whole]),
        },
    )


def _blocks(parts: Parts, labels: np.ndarray, facts: dict[str, Any]) -> Iterator[SpikeTrains]:
    lengths = np.array([n for done in parts.done for n in done.n_spikes], np.int64)
    for block, spikes in parts.blocks():
        yield SpikeTrains(
            times_us=np.ascontiguousarray(spikes["time_us"]),
            units=np.ascontiguousarray(spikes["unit"]),
            offsets=offsets_from_lengths(lengths[block]),
            labels=labels[block],
            **facts,
        )


def _warnings(encoder: Encoder, rates_hz: list[int]) -> list[str]:
    """Return a sentence for each sampling rate that leaves channels with nothing to hear."""
    tuned_to = encoder.characteristic_hz()
    sentences = []
    for rate_hz in sorted(set(rates_hz)):
        idle = int(np.count_nonzero(tuned_to > rate_hz / 2 * (1 + 1e-9)))
        if idle and rate_hz < encoder.rate_hz:
            sentences.append(
                f"{rates_hz.count(rate_hz):,} of {len(rates_hz):,} recordings are sampled at {rate_hz:,} Hz "
                f"and hold nothing above {rate_hz / 2:,.0f} Hz: channels 0 to {idle - 1}, {idle} of "
                f"{len(tuned_to)}, are tuned above that and give little but their own noise"
            )
    return sentences


def _numbered(names: list[str]) -> tuple[list[str], np.ndarray]:
    """Return the distinct names, numbers in order of size before words, and the place of each name."""
    distinct = sorted(
        set(names), key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)
    )
    place = {name: i for i, name in enumerate(distinct)}
    return distinct, np.array([place[name] for name in names], np.int64)
