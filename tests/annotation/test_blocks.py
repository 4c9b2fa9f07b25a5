import errno
import io
from pathlib import Path

import pytest

from diptych.annotation.blocks import BlockFile


class FullDisk(io.FileIO):
    """A file on a disk with room for so many bytes; the write that crosses the limit is cut short first."""

    room = 0

    def write(self, data) -> int:
        free = self.room - self.tell()
        if free <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(bytes(data)[:free])


def on_full_disk(path: Path, *, room: int, block_bytes: int) -> BlockFile:
    file = BlockFile(path, block_bytes=block_bytes)
    file._raw.close()
    file._raw = FullDisk(path, "wb")
    file._raw.room = room
    return file


def test_records_arrive_in_order(tmp_path: Path):
    with BlockFile(tmp_path / "a", block_bytes=4) as file:
        for record in ["head\n", "a\n", "bcd\n", "é\n"]:
            file.write(record)
        file.write_last("end\n", if_cut="cut\n")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "head\na\nbcd\né\nend\n"


def test_text_that_is_no_unicode_is_written_with_question_marks(tmp_path: Path):
    with BlockFile(tmp_path / "a") as file:
        file.write("a\udc80b\n")
    assert (tmp_path / "a").read_bytes() == b"a?b\n"


def test_a_full_disk_leaves_whole_records(tmp_path: Path):
    with on_full_disk(tmp_path / "a", room=10, block_bytes=4) as file:
        file.write("head")
        file.write("1111")
        with pytest.raises(OSError, match="No space left"):
            file.write("2222")
        file.write_last("", if_cut="")
    assert (tmp_path / "a").read_text() == "head1111"


def test_a_last_record_that_does_not_fit_takes_the_place_of_a_block(tmp_path: Path):
    with on_full_disk(tmp_path / "a", room=13, block_bytes=4) as file:
        for record in ["head", "1111", "2222"]:
            file.write(record)
        file.write_last("long end", if_cut="cut")
    assert (tmp_path / "a").read_text() == "head1111cut"


def test_the_first_record_is_never_given_up(tmp_path: Path):
    with on_full_disk(tmp_path / "a", room=8, block_bytes=4) as file:
        file.write("head")
        file.write("1111")
        file.write_last("end", if_cut="cut")
    assert (tmp_path / "a").read_text() == "headcut"


def test_a_disk_without_room_for_the_end_is_an_error(tmp_path: Path):
    with on_full_disk(tmp_path / "a", room=4, block_bytes=4) as file:
        file.write("head")
        with pytest.raises(OSError, match="No space left"):
            file.write_last("end", if_cut="cut")
