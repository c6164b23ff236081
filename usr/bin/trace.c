// SPDX-License-Identifier: MIT
// trace: run a command and tell what the virtual memory system did for it, step by step: which
// access trapped, which area it fell into, whether the anonymous layer or an object had the page,
// what was read, zeroed or copied, which entry went into the page table, what had to be tried
// again, and what was written back in the end.
//
// The kernel keeps these events in a ring and gives them through /proc/trace, one a line:
//
//     TIME_NS HART PID EVENT key=value ...
//
// Writing "pid N" there switches them on for a process and the children it will have, "0" switches
// them off; reading takes what has gathered. The events are kept here until the command has ended,
// so that the story does not fall into the command's own output. This program traces itself too,
// its child inherits that, and its own events are left out of the story: write-back belongs to no
// process and is told of as long as somebody is traced.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "trace";
const char usage_args[] = "[-r] COMMAND [ARG]...";

#define DRAIN_NS 5000000 // how long events may gather in the ring

struct event {
	unsigned long long time_ns;
	unsigned hart, pid;
	const char *name;
	char *fields; // "key=value key=value"
};

struct events {
	char *text;
	size_t n, room;
};

// --- gathering

static int drain(int fd, struct events *events)
{
	ssize_t got;

	do {
		if (events->room - events->n < 8192) {
			events->room = events->room ? events->room * 2 : 65536;
			events->text = realloc(events->text, events->room);
			if (!events->text)
				die("%zu bytes", events->room);
		}
		got = read(fd, events->text + events->n, events->room - events->n - 1);
		if (got > 0)
			events->n += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	events->text[events->n] = '\0';
	return got < 0 ? -1 : 0;
}

static int control(int fd, const char *format, int number)
{
	char text[32];
	int n = snprintf(text, sizeof text, format, number);

	return write_all(fd, text, (size_t)n);
}

// Runs the command to its end and returns its wait status.
static int run(char **argv, int fd, struct events *events)
{
	const struct timespec pause = {.tv_nsec = DRAIN_NS};
	int status = 0;
	pid_t pid;

	if (control(fd, "pid %d\n", getpid()) != 0)
		die("/proc/trace");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		execvp(argv[0], argv);
		complain("%s", argv[0]);
		_exit(errno == ENOENT ? 127 : 126);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		drain(fd, events);
		nanosleep(&pause, NULL);
	}
	return status;
}

// --- telling

static char *field(const struct event *e, const char *key, char *value, size_t room)
{
	size_t n = strlen(key);
	const char *p = e->fields;

	snprintf(value, room, "?");
	while (*p) {
		size_t length = strcspn(p, " ");

		if (length > n && p[n] == '=' && !strncmp(p, key, n))
			snprintf(value, room, "%.*s", (int)(length - n - 1), p + n + 1);
		p += length;
		p += strspn(p, " ");
	}
	return value;
}

// Values that read better as words. The reasons are those of mm/supply.h, enum need.
static const struct {
	const char *key, *value, *word;
} words[] = {
	{"access", "r--", "load from"},
	{"access", "-w-", "store to"},
	{"access", "--x", "fetch from"},
	{"frame", "none", "not in memory"},
	{"result", "0", "ready"},
	{"result", "1", "SIGSEGV: nothing is mapped there"},
	{"result", "2", "SIGSEGV: not allowed"},
	{"result", "3", "SIGBUS"},
	{"result", "4", "no memory"},
	{"result", "5", "killed"},
	{"error", "0", "granted"},
	{"whole", "0", "what was removed or reduced"},
	{"whole", "1", "all of the space"},
	{"reason", "1", "an entry had to go first"},
	{"reason", "2", "a page of zeros was wanted"},
	{"reason", "3", "a copy of the private page was wanted"},
	{"reason", "4", "the object's page was wanted"},
	{"reason", "5", "a copy of the object's page was wanted"},
	{"reason", "6", "the page had to become dirty"},
	{"reason", "7", "there is another object now"},
	{"reason", "8", "memory for a table was wanted"},
};

static const char *in_words(const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (!strcmp(words[i].key, key) && !strcmp(words[i].value, value))
			return words[i].word;
	return value;
}

// "%{key}" in a template stands for the field's value.
static void print_template(const struct event *e, const char *template)
{
	char key[32], value[64];

	while (*template) {
		const char *end =
			template[0] == '%' && template[1] == '{' ? strchr(template, '}') : NULL;

		if (!end || (size_t)(end - template) > sizeof key) {
			putchar(*template ++);
			continue;
		}
		snprintf(key, sizeof key, "%.*s", (int)(end - template - 2), template + 2);
		fputs(in_words(key, field(e, key, value, sizeof value)), stdout);
		template = end + 1;
	}
}

// Steps of a fault stand below it, further in.
static const struct telling {
	const char *name;
	bool step;
	const char *title, *template;
} tellings[] = {
	{"map", false, "map", "%{va}..%{end} %{rights}"},
	{"unmap", false, "unmap", "%{va}..%{end}"},
	{"protect", false, "protect", "%{va}..%{end} becomes %{rights}"},
	{"trap", false, "fault", "trap: %{access} %{va}"},
	{"area", true, "area", "%{start}..%{end}"},
	{"anon", true, "anon", "the private page is there: frame %{frame}"},
	{"object", true, "object", "page %{index} of it: %{frame}"},
	{"fill", true, "fill", "the pager reads from page %{index}, %{pages} pages"},
	{"zero", true, "zero", "a fresh page of zeros: frame %{frame}"},
	{"copy", true, "copy", "frame %{from} to frame %{to}"},
	{"writable", true, "dirty", "page %{index} wants to become dirty: %{error}"},
	{"pte", true, "PTE", "%{va} is frame %{frame}, %{rights}"},
	{"retry", true, "retry", "look again: %{reason}"},
	{"end", true, "done", "%{result}, after %{ns} ns"},
	{"evict", false, "evict", "page %{index}, frame %{frame}"},
	{"writeback", false, "write-back", "from page %{index}, %{pages} pages"},
	{"shootdown", false, "shootdown", "all harts forget %{whole}"},
	{"fork", false, "fork", "child %{child}"},
	{"lost", false, "lost", "%{lost} events: the ring was full"},
};

static void tell(const struct event *e, unsigned long long start_ns)
{
	unsigned long long us = (e->time_ns - start_ns) / 1000;

	printf("%6llu.%06llu  hart %u  ", us / 1000000, us % 1000000, e->hart);
	printf(e->pid ? "pid %-4u " : "kernel   ", e->pid);
	for (size_t i = 0; i < sizeof tellings / sizeof tellings[0]; i++) {
		const struct telling *t = &tellings[i];

		if (strcmp(t->name, e->name))
			continue;
		printf("%s%-11s", t->step ? "    " : "", t->title);
		print_template(e, t->template);
		putchar('\n');
		return;
	}
	printf("%-11s%s\n", e->name, e->fields);
}

static bool parse(char *line, struct event *e)
{
	char *end;

	e->time_ns = strtoull(line, &end, 10);
	if (end == line)
		return false;
	e->hart = (unsigned)strtoul(end, &end, 10);
	e->pid = (unsigned)strtoul(end, &end, 10);
	end += strspn(end, " ");
	e->name = end;
	end += strcspn(end, " ");
	if (*end)
		*end++ = '\0';
	e->fields = end;
	return *e->name;
}

// How often each kind of event came; the order is that of the table.
static void count(const struct event *e, unsigned long *counts)
{
	for (size_t i = 0; i < sizeof tellings / sizeof tellings[0]; i++)
		counts[i] += !strcmp(tellings[i].name, e->name);
}

static void tell_all(char *text, bool raw)
{
	unsigned long counts[sizeof tellings / sizeof tellings[0]] = {0};
	unsigned long long start_ns = 0;
	char *line, *rest;
	const char *gap = "total:";

	if (raw) {
		fputs(text, stdout);
		return;
	}
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct event e;

		if (!parse(line, &e))
			continue;
		if (e.pid == (unsigned)getpid())
			continue;
		// Until the command's own space takes shape, it is the child of this program.
		if (!start_ns && strcmp(e.name, "map"))
			continue;
		if (!start_ns)
			start_ns = e.time_ns;
		tell(&e, start_ns);
		count(&e, counts);
	}
	for (size_t i = 0; i < sizeof tellings / sizeof tellings[0]; i++) {
		if (!counts[i])
			continue;
		printf("%s %lu %s", gap, counts[i], tellings[i].title);
		gap = ",";
	}
	if (start_ns)
		putchar('\n');
}

int main(int argc, char **argv)
{
	struct events events = {0};
	int option, fd, status;
	bool raw = false;

	while ((option = getopt(argc, argv, "+r")) != -1) {
		if (option == '?')
			usage();
		raw = true;
	}
	if (optind == argc)
		usage();
	fd = open("/proc/trace", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("/proc/trace");
	drain(fd, &events);
	events.n = 0; // what was there before is another story
	status = run(argv + optind, fd, &events);
	sync(); // the write-back of what the command left dirty belongs to its story
	if (drain(fd, &events) != 0)
		complain("/proc/trace");
	control(fd, "%d\n", 0);
	tell_all(events.text, raw);
	status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return finish(status);
}
