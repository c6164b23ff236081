# SPDX-License-Identifier: MIT
"""The parts of the tools that need no machine."""
import urllib.parse

import pytest

import guest
import sections
import tap

FIRMWARE = b"OpenSBI v1.1\r\n\x1e[not this]\x1e\n"
OUTPUT = bytes(range(256)) + b"\x1e\x1e[mapache:panic]\x1e\x1e[mapache:pan\r\n"
PANIC = b"panic: at the disco\r\n"


def streams(end):
    """What a UART says, with lines that end so, and what must come out of the filter."""
    yield FIRMWARE + guest.MARK_INIT + end + OUTPUT, OUTPUT, b""
    yield (FIRMWARE + guest.MARK_INIT + end + OUTPUT + guest.MARK_PANIC + end + PANIC, OUTPUT, PANIC)
    yield FIRMWARE + guest.MARK_INIT + end + guest.MARK_PANIC[:-1], guest.MARK_PANIC[:-1], b""
    yield FIRMWARE + guest.MARK_INIT, b"", b""
    yield FIRMWARE + guest.MARK_PANIC + end + PANIC, b"", PANIC


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_filter_with_every_cut(end):
    for stream, output, panic in streams(end):
        for cut in range(len(stream) + 1):
            uart = guest.Filter()
            passed = uart.feed(stream[:cut]) + uart.feed(stream[cut:]) + uart.rest()
            assert (passed, uart.panic) == (output, panic)
            assert uart.before.startswith(FIRMWARE)


def test_filter_byte_by_byte():
    for stream, output, panic in streams(b"\r\n"):
        uart = guest.Filter()
        passed = b"".join(uart.feed(stream[i:i + 1]) for i in range(len(stream))) + uart.rest()
        assert (passed, uart.panic) == (output, panic)


def test_filter_holds_back_no_more_than_it_must():
    uart = guest.Filter()
    uart.feed(guest.MARK_INIT + b"\n")
    assert uart.feed(b"prompt# ") == b"prompt# "
    assert uart.feed(b"x\x1e") == b"x"
    assert uart.feed(b"y") == b"\x1ey"


@pytest.mark.parametrize("word", ["plain", "a b", "100%", "%20", "\n\t", "\u00e9", "--", "'\""])
def test_words_survive_the_kernel_command_line(word):
    encoded = guest.encode_word(word)
    assert encoded.isascii() and not set(encoded) & set(" \t\n\"'")
    assert urllib.parse.unquote(encoded) == word


def test_the_empty_word_is_a_word():
    assert guest.encode_word("") == "%00"


def test_tap_counts():
    results = tap.parse("1..4\nok 1 - one\nnot ok 2 - two: it broke\nok three # SKIP no disk\n"
                        "# note\nnot ok four\n")
    assert [(r.name, r.status, r.why) for r in results] == [
        ("one", "passed", ""), ("two", "failed", "it broke"),
        ("three", "skipped", "no disk"), ("four", "failed", "")]


def test_tap_that_ends_early_fails():
    results = tap.parse("1..3\nok one\n")
    assert [r.status for r in results] == ["passed", "failed"]


def test_tap_that_gives_up_fails():
    results = tap.parse("1..3\nok one\nBail out! no room\n")
    assert [(r.status, r.why) for r in results] == [("passed", ""), ("failed", "no room")]


def test_what_is_not_tap_is_nothing():
    assert tap.parse("okay then\nnot okay\nbooks\n") == []


PAGE = "head\n<!-- one -->\n1\n<!-- end of one -->\n<!-- -->\n<!-- two: b -->\n<!-- end of two: b -->\n<!-- three -->\n"


def test_sections_are_found():
    assert sections.of(PAGE) == {"one": "1\n", "two: b": ""}


def test_a_section_is_replaced_and_nothing_else():
    assert sections.replaced(PAGE, {}) == PAGE
    assert sections.replaced(PAGE, {"two: b": "2\n"}) == PAGE.replace("b -->\n<!-- end", "b -->\n2\n<!-- end")
    assert sections.replaced(PAGE, {"one": r"\1"}) == PAGE.replace("1\n", r"\1")


def test_a_document_is_written_whole_or_left(tmp_path):
    (tmp_path / "page").write_text(PAGE)
    with pytest.raises(UnicodeEncodeError):
        sections.write(tmp_path / "page", {"one": "1" * 100000 + "\udcff"})
    assert [file.read_text() for file in tmp_path.iterdir()] == [PAGE]
    sections.write(tmp_path / "page", {"one": "2\n"})
    assert [file.read_text() for file in tmp_path.iterdir()] == [PAGE.replace("1\n", "2\n")]


def test_a_section_that_is_not_there_is_missed():
    with pytest.raises(KeyError):
        sections.replaced(PAGE, {"three": ""})
