"""Which files are meant, and what their names or a table say of them."""

from pathlib import Path

import pytest

from beyondrate.audio.catalogue import catalogue, sound_paths
from beyondrate.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for name in ("a/1.wav", "a/2.wav", "b/1.wav", "b/notes.txt", "b/.hidden.wav", "b/c/3.flac"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def names(found, folder):
    return [path.relative_to(folder).as_posix() for path in found]


def test_folders_patterns_and_files_are_joined_each_file_once(folder):
    assert names(sound_paths([folder]), folder) == ["a/1.wav", "a/2.wav", "b/1.wav", "b/c/3.flac"]
    assert names(sound_paths([f"{folder}/*/1.wav"]), folder) == ["a/1.wav", "b/1.wav"]
    mixed = [folder / "a", f"{folder}/**/1.wav", folder / "a" / "2.wav"]
    assert names(sound_paths(mixed), folder) == ["a/1.wav", "a/2.wav", "b/1.wav"]


def test_a_name_with_the_signs_of_a_pattern_is_a_file_first(tmp_path):
    (tmp_path / "take[1].wav").touch()
    assert sound_paths([tmp_path / "take[1].wav"]) == [tmp_path / "take[1].wav"]


def test_what_means_no_file_is_named(folder):
    (folder / "empty").mkdir()
    for source, said in ((folder / "empty", "holds no sound file"), (f"{folder}/*.wav", "no file matches")):
        with pytest.raises(InputError, match=said) as caught:
            sound_paths([folder / "a", source])
        assert str(source) in str(caught.value)


def table(folder, text, name="labels.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


WAVS = ("a/1.wav", "a/2.wav", "b/1.wav")


def read(folder, text, group=None, files=WAVS):
    return catalogue([folder / name for name in files], table(folder, text), group)


def test_a_table_says_label_and_group(folder):
    text = '\ufefffile,label,age,group\nb/1.wav, yes ,31,ann\na/1.wav,no,,bob\n\na/2.wav,"a, b",,ann\n'
    found = read(folder, text)
    assert [(r.name, r.label, r.group) for r in found] == [
        ("a/1", "no", "bob"),
        ("a/2", "a, b", "ann"),
        ("b/1", "yes", "ann"),
    ]


def test_any_column_can_be_the_group_and_none_has_to(folder):
    text = "label,file,room\nx,a/1.wav,1\ny,a/2.wav,2\nx,b/1.wav,1\n"
    assert [r.group for r in read(folder, text)] == [None] * 3
    assert [r.group for r in read(folder, text, "room")] == ["1", "2", "1"]


def test_rows_name_files_by_as_many_folders_as_tell_them_apart(folder):
    text = f"file,label\n{folder}/a/1.wav,x\n2.wav,y\n./b/1.wav,x\n"
    assert [Path(r.name).name for r in read(folder, text)] == ["1", "2", "1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,label\na/1.wav,x\na/2.wav,y\n", "has no row for .*b/1.wav"),
        ("file,label\na/1.wav,x\na/2.wav,y\nb/1.wav,x\nb/9.wav,x\n", "names b/9.wav, which is not among"),
        ("file,label\na/1.wav,x\na/2.wav,y\nb/1.wav,x\na/2.wav,x\n", r"names a/2.wav twice \(line 5\)"),
        ("file,label\n1.wav,x\n2.wav,y\n", "2 files are named '1'"),
        ("file,label\na/1.wav,\na/2.wav,y\nb/1.wav,x\n", "line 2 has no label"),
        ("file,label,group\na/1.wav,x,a\na/2.wav,y\nb/1.wav,x,a\n", "line 3 has no group"),
        ("file,label\na/1.wav,x,7\na/2.wav,y\nb/1.wav,x\n", "line 2 has more cells"),
        ("path,label\na/1.wav,x\n", r"no column file \(it has path, label\)"),
        ("file,label,label\na/1.wav,x,y\n", "two columns of one name"),
        ("", r"no column file or label \(it has none\)"),
        ("file,label\na/1.wav,x\na/2.wav,x\nb/1.wav,x\n", "1 of the two classes"),
    ],
)
def test_tables_that_do_not_fit_are_refused_by_name(folder, text, said):
    with pytest.raises(InputError, match=said):
        read(folder, text)


def test_a_table_that_is_none_is_refused(folder):
    (folder / "labels.csv").write_bytes(b"file,label\n\xff\xfe,x\n")
    for labels, said in ((folder / "labels.csv", "is no table"), (folder / "none.csv", "cannot be opened")):
        with pytest.raises(InputError, match=said):
            catalogue([folder / name for name in WAVS], str(labels))


def test_a_group_that_is_nowhere_is_refused(folder):
    paths = [folder / name for name in WAVS]
    with pytest.raises(InputError, match="has no 'room'; group by one of label, take"):
        catalogue(paths, "{label}/{take}", "room")
    with pytest.raises(InputError, match="has no 'room'"):
        read(folder, "file,label\na/1.wav,x\na/2.wav,y\nb/1.wav,x\n", "room")
    assert [r.group for r in catalogue(paths, "{label}/{take}", "take")] == ["1", "2", "1"]
