// SPDX-License-Identifier: MIT
// The line discipline, through a pseudo-terminal: what is typed, shown, read and written.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/tap.h"

// --- Lines

static void a_line(void)
{
	struct pair p;

	open_pair(&p);
	type(&p, "ab");
	must_show(&p, "ab");
	CHECK_EQ(poll_now(p.slave, POLLIN), 0);
	type(&p, "c\nd");
	must_show(&p, "c\r\nd");
	must_read(&p, "abc\n");
	CHECK_EQ(poll_now(p.slave, POLLIN), 0);
}

static void a_line_in_parts(void)
{
	char part[2];
	struct pair p;

	open_pair(&p);
	type(&p, "abc\nxy\n");
	must_show(&p, "abc\r\nxy\r\n");
	CHECK_EQ(read(p.slave, part, 2), 2);
	CHECK(!memcmp(part, "ab", 2));
	must_read(&p, "c\n");
	must_read(&p, "xy\n");
}

static void ends_of_file(void)
{
	char three[3];
	struct pair p;

	open_pair(&p);
	type(&p, "abc\x04\x04"
		 "def\x04"
		 "x\n");
	must_show(&p, "abcdefx\r\n");
	must_read(&p, "abc");
	must_read(&p, "");
	CHECK_EQ(read(p.slave, three, 3), 3); // takes the end as well
	must_read(&p, "x\n");
}

static void more_ends_of_lines(void)
{
	struct pair p;

	open_pair(&p);
	set_control(p.slave, VEOL, ';');
	set_control(p.slave, VEOL2, '.');
	type(&p, "a;b.c\n");
	must_show(&p, "a;b.c\r\n");
	must_read(&p, "a;");
	must_read(&p, "b.");
	must_read(&p, "c\n");
}

static void erasing_a_character(void)
{
	struct pair p;

	open_pair(&p);
	type(&p, "\x7f"
		 "abX\x7f"
		 "c\n"); // the first finds nothing to erase
	must_show(&p, "abX\b \bc\r\n");
	must_read(&p, "abc\n");
	set_modes(p.slave, NOTHING, REMOVE(.lflag = ECHOE));
	type(&p, "aX\x7f"
		 "b\n");
	must_show(&p, "aX^?b\r\n");
	must_read(&p, "ab\n");
}

static void erasing_what_is_wide(void)
{
	struct pair p;

	open_pair(&p);
	type(&p, "a\x01\x7f"
		 "b\n");
	must_show(&p, "a^A\b \b\b \bb\r\n");
	must_read(&p, "ab\n");
	type(&p, "ab\t\x7f"
		 "c\n");
	must_show(&p, "ab\t\b\b\b\b\b\bc\r\n");
	must_read(&p, "abc\n");
	set_modes(p.slave, ADD(.iflag = IUTF8), NOTHING);
	type(&p, "a\xc3\xa4\x7f"
		 "b\n");
	must_show(&p, "a\xc3\xa4\b \bb\r\n");
	must_read(&p, "ab\n");
}

static void erasing_a_word(void)
{
	struct pair p;

	open_pair(&p);
	type(&p, "one two, \x17"
		 "x\n");
	must_show(&p, "one two, \b \b\b \b\b \b\b \b\b \bx\r\n");
	must_read(&p, "one x\n");
	set_modes(p.slave, NOTHING, REMOVE(.lflag = IEXTEN));
	type(&p, "a\x17\n");
	must_show(&p, "a^W\r\n");
	must_read(&p, "a\x17\n");
}

static void erasing_a_line(void)
{
	struct pair p;

	open_pair(&p);
	type(&p, "abc\x15"
		 "d\n");
	must_show(&p, "abc\b \b\b \b\b \bd\r\n");
	must_read(&p, "d\n");
	set_modes(p.slave, NOTHING, REMOVE(.lflag = ECHOKE));
	type(&p, "abc\x15"
		 "d\n");
	must_show(&p, "abc^U\r\nd\r\n");
	must_read(&p, "d\n");
	set_modes(p.slave, NOTHING, REMOVE(.lflag = ECHOK));
	type(&p, "abc\x15"
		 "d\n");
	must_show(&p, "abc^Ud\r\n");
	must_read(&p, "d\n");
}

static void literally(void)
{
	struct pair p;

	open_pair(&p);
	type(&p, "a\x16\x03"
		 "b\x16\x7f\n");
	must_show(&p, "a^\b^Cb^\b^?\r\n");
	must_read(&p, "a\x03"
		      "b\x7f\n");
}

static void reprinting(void)
{
	struct pair p;

	open_pair(&p);
	type(&p, "ab\x01\x12"
		 "c\n");
	must_show(&p, "ab^A^R\r\nab^Ac\r\n");
	must_read(&p, "ab\x01"
		      "c\n");
}

static void echoes(void)
{
	struct pair p;

	open_pair(&p);
	set_modes(p.slave, NOTHING, REMOVE(.lflag = ECHO));
	type(&p, "secret\n");
	must_read(&p, "secret\n");
	set_modes(p.slave, ADD(.lflag = ECHONL), NOTHING);
	type(&p, "secret\n");
	must_show(&p, "\r\n");
	must_read(&p, "secret\n");
	set_modes(p.slave, ADD(.lflag = ECHO), REMOVE(.lflag = ECHOCTL));
	type(&p, "\x01\n");
	must_show(&p, "\x01\r\n");
	must_read(&p, "\x01\n");
}

static void a_line_that_is_too_long(void)
{
	enum { LONG = 6000, MOST = 4095 };
	static char text[LONG + 1], line[LONG];
	struct pair p;

	open_pair(&p);
	set_modes(p.slave, NOTHING, REMOVE(.lflag = ECHO));
	memset(text, 'x', LONG);
	text[LONG] = '\n';
	for (int i = 0; i < LONG; i += 1000)
		type_bytes(&p, text + i, 1000);
	type(&p, "\n");
	CHECK(poll_soon(p.slave, POLLIN) & POLLIN);
	CHECK_EQ(read(p.slave, line, sizeof line), MOST + 1);
	CHECK_EQ(line[MOST], '\n');
	type(&p, "next\n");
	must_read(&p, "next\n");
}

// --- Translations

static void input_translations(void)
{
	struct pair p;

	open_pair(&p);
	type(&p, "a\r");
	must_show(&p, "a\r\n");
	must_read(&p, "a\n");
	set_modes(p.slave, ADD(.iflag = IGNCR), NOTHING);
	type(&p, "b\rc\n");
	must_show(&p, "bc\r\n");
	must_read(&p, "bc\n");
	set_modes(p.slave, ADD(.iflag = INLCR), REMOVE(.iflag = IGNCR | ICRNL));
	set_control(p.slave, VEOL, '\r');
	type(&p, "d\n");
	must_read(&p, "d\r");
	set_modes(p.slave, ADD(.iflag = ISTRIP | IUCLC), REMOVE(.iflag = INLCR));
	type(&p, "\xe1"
		 "B\n");
	must_read(&p, "ab\n");
}

static void writes(const struct pair *p, const char *text, const char *shows)
{
	CHECK_EQ(write(p->slave, text, strlen(text)), strlen(text));
	must_show(p, shows);
}

static void output_translations(void)
{
	struct pair p;

	open_pair(&p);
	writes(&p, "a\nb\rc\td", "a\r\nb\rc\td");
	set_modes(p.slave, ADD(.oflag = TAB3), NOTHING);
	writes(&p, "\n\ta\tb\n", "\r\n        a       b\r\n");
	set_modes(p.slave, ADD(.oflag = OCRNL), REMOVE(.oflag = ONLCR | TAB3));
	writes(&p, "a\nb\r", "a\nb\n");
	set_modes(p.slave, ADD(.oflag = ONOCR), REMOVE(.oflag = OCRNL));
	writes(&p, "x\r\r\rb", "x\rb");
	set_modes(p.slave, ADD(.oflag = OLCUC), NOTHING);
	writes(&p, "Ab1", "AB1");
	set_modes(p.slave, NOTHING, REMOVE(.oflag = OPOST));
	writes(&p, "\r\r\na", "\r\r\na");
}

// --- Bytes

static void bytes_at_once(void)
{
	struct pair p;
	char three[3];

	open_pair(&p);
	set_raw(p.slave, 1, 0);
	type_bytes(&p, "a\x04\x03\0\r", 5);
	CHECK(poll_soon(p.slave, POLLIN) & POLLIN);
	for (size_t n = 0; n < 5;) {
		ssize_t got = CHECK_OK(read(p.slave, three, sizeof three));
		CHECK(!memcmp(three, &"a\x04\x03\0\r"[n], (size_t)got));
		n += (size_t)got;
	}
}

static void at_least_so_many(void)
{
	struct pair p;
	char c[8];

	open_pair(&p);
	set_raw(p.slave, 3, 0);
	set_modes(p.slave, ADD(.lflag = ECHO), NOTHING);
	type(&p, "ab");
	must_show(&p, "ab");
	CHECK_EQ(poll_now(p.slave, POLLIN), 0);
	type(&p, "c");
	CHECK_EQ(poll_soon(p.slave, POLLIN), POLLIN);
	CHECK_EQ(read(p.slave, c, sizeof c), 3);
}

static void or_so_long(void)
{
	struct pair p;
	char c[8];

	open_pair(&p);
	set_raw(p.slave, 0, 0);
	CHECK_EQ(read(p.slave, c, sizeof c), 0);
	set_raw(p.slave, 0, 1);
	CHECK_EQ(read(p.slave, c, sizeof c), 0);
	set_raw(p.slave, 5, 1);
	type(&p, "ab");
	CHECK_EQ(read(p.slave, c, sizeof c), 2);
}

static void without_waiting(void)
{
	struct pair p;
	char c;

	open_pair(&p);
	CHECK_OK(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	CHECK_OK(fcntl(p.master, F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(p.slave, &c, 1), EAGAIN);
	CHECK_ERR(read(p.master, &c, 1), EAGAIN);
	set_raw(p.slave, 1, 0);
	CHECK_ERR(read(p.slave, &c, 1), EAGAIN);
}

static void changing_modes_keeps_what_was_typed(void)
{
	struct pair p;

	open_pair(&p);
	type(&p, "half");
	must_show(&p, "half");
	set_raw(p.slave, 1, 0);
	must_read(&p, "half");
	type(&p, "x");
	CHECK(poll_soon(p.slave, POLLIN) & POLLIN);
	set_modes(p.slave, ADD(.lflag = ICANON), NOTHING);
	must_read(&p, "x");
}

static const struct test tests[] = {
	{"a_line", a_line},
	{"a_line_in_parts", a_line_in_parts},
	{"ends_of_file", ends_of_file},
	{"more_ends_of_lines", more_ends_of_lines},
	{"erasing_a_character", erasing_a_character},
	{"erasing_what_is_wide", erasing_what_is_wide},
	{"erasing_a_word", erasing_a_word},
	{"erasing_a_line", erasing_a_line},
	{"literally", literally},
	{"reprinting", reprinting},
	{"echoes", echoes},
	{"a_line_that_is_too_long", a_line_that_is_too_long},
	{"input_translations", input_translations},
	{"output_translations", output_translations},
	{"bytes_at_once", bytes_at_once},
	{"at_least_so_many", at_least_so_many},
	{"or_so_long", or_so_long},
	{"without_waiting", without_waiting},
	{"changing_modes_keeps_what_was_typed", changing_modes_keeps_what_was_typed},
};

BEYOND_CORE_MAIN(tests)
