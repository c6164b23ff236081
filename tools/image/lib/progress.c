// SPDX-License-Identifier: MIT
#include "progress.h"
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define FIRST_AFTER_NS 500000000u
#define EVERY_NS       100000000u
#define NS             1000000000.0
#define MIB            1048576.0
#define LINE_BYTES     1024

static struct {
	const char *what; /* NULL: nothing is under way */
	uint64_t done, total;
	enum progress_unit unit;
	uint64_t since_ns, next_ns;   /* of this `what`; when to draw again */
	bool asked, terminal, always; /* the latter two known once `asked` */
	bool drawn;
} bar;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static unsigned columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
		return 80;
	return size.ws_col < LINE_BYTES / 2 ? size.ws_col : LINE_BYTES / 2;
}

static void hide(void)
{
	if (bar.drawn)
		fputs("\r\033[K", stderr);
	bar.drawn = false;
}

/* "420 of 1000 MiB, 310.5 MiB/s, 2 s left" */
static void format_amounts(char *to, size_t bytes)
{
	double scale = bar.unit == PROGRESS_BYTES ? MIB : 1;
	const char *unit = bar.unit == PROGRESS_BYTES ? " MiB" : "";
	double seconds = (double)(now_ns() - bar.since_ns) / NS;
	double rate = seconds > 0 ? (double)bar.done / seconds : 0;
	size_t n = (size_t)snprintf(to, bytes, "%.0f of %.0f%s, %.1f%s/s", (double)bar.done / scale,
		(double)bar.total / scale, unit, rate / scale, unit);

	if (rate > 0)
		snprintf(to + n, bytes - n, ", %.0f s left", (double)(bar.total - bar.done) / rate);
}

static void draw(void)
{
	const char *slash = strrchr(bar.what, '/'), *name = slash ? slash + 1 : bar.what;
	double share = bar.total ? (double)bar.done / (double)bar.total : 1;
	char head[LINE_BYTES], amounts[LINE_BYTES], line[3 * LINE_BYTES], arrow[LINE_BYTES];
	unsigned width = columns() - 1, used, room;

	snprintf(head, sizeof(head), "%s: %s %3.0f%%", image_tool, name, share * 100);
	format_amounts(amounts, sizeof(amounts));
	used = (unsigned)(strlen(head) + strlen(amounts) + 4); /* blanks and brackets */
	room = width > used + 10 ? width - used : 0;
	memset(arrow, ' ', room);
	memset(arrow, '=', (size_t)(share * room));
	if (room && share < 1)
		arrow[(size_t)(share * room)] = '>';
	if (room)
		snprintf(line, sizeof(line), "%s [%.*s] %s", head, (int)room, arrow, amounts);
	else
		snprintf(line, sizeof(line), "%s %s", head, amounts);
	fprintf(stderr, "\r%.*s\033[K", (int)width, line);
	fflush(stderr);
	bar.drawn = true;
}

/* Once, at the first step: the half second counts from there. */
static void ask(void)
{
	const char *wish = getenv("MAPACHE_PROGRESS");

	bar.asked = true;
	bar.terminal = isatty(STDERR_FILENO);
	bar.always = wish && strcmp(wish, "now") == 0;
	bar.next_ns = now_ns() + FIRST_AFTER_NS;
	image_before_message = hide;
}

static void step(void)
{
	uint64_t now;

	if (!bar.terminal)
		return;
	now = now_ns();
	if (!bar.always && now < bar.next_ns)
		return;
	bar.next_ns = now + EVERY_NS;
	draw();
}

void progress_to(const char *what, uint64_t done, uint64_t total, enum progress_unit unit)
{
	if (!bar.asked)
		ask();
	if (what != bar.what)
		bar.since_ns = now_ns();
	bar.what = what;
	bar.done = done < total ? done : total;
	bar.total = total;
	bar.unit = unit;
	step();
}

void progress_add(uint64_t done)
{
	if (bar.what)
		progress_to(bar.what, bar.done + done, bar.total, bar.unit);
}

void progress_end(void)
{
	hide();
	bar.what = NULL;
}
