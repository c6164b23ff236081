// SPDX-License-Identifier: MIT
// No wake-up is lost: threads on all harts wait for pipes, eventfds and pseudo-terminals by poll,
// pselect and read, and whoever gets an event answers it. Nothing is tried again and no wait is cut
// short, so one wake-up that does not come is the end of it: the alarm is there for that, and for
// nothing else.
//
//	env EVENTS=100000 /test/stress_poll      for more of it
//
// BEYOND_CORE: the core has no ppoll.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/tap.h"
#include "lib/threads.h"

enum { PIPE, EVENT, TERMINAL, KINDS };

#define PAIRS   5
#define HERD    8
#define LONG_MS 1000000000
#define STUCK_S 150

static const char *const kind_names[KINDS] = {"a pipe", "an eventfd", "a terminal"};

static unsigned events_wanted; // by each pair, each herd, each ring
static unsigned events_seen;   // by all

static void stuck(int number)
{
	(void)number;
	FAIL("nothing happens after %u events", __atomic_load_n(&events_seen, __ATOMIC_RELAXED));
}

static void begin(unsigned events)
{
	struct sigaction action = {.sa_handler = stuck};
	const char *more = getenv("EVENTS");

	events_wanted = more ? (unsigned)atoi(more) : events;
	CHECK_OK(sigaction(SIGALRM, &action, NULL));
	alarm(STUCK_S);
}

static void note_event(void)
{
	if (__atomic_add_fetch(&events_seen, 1, __ATOMIC_RELAXED) % 10000 == 0)
		alarm(STUCK_S);
}

// --- One way for events

struct way {
	int from, to, kind;
};

static void open_way(struct way *way, int kind)
{
	struct pair pair;
	int ends[2];

	way->kind = kind;
	switch (kind) {
	case PIPE:
		CHECK_OK(pipe2(ends, O_NONBLOCK));
		way->from = ends[0];
		way->to = ends[1];
		break;
	case EVENT:
		way->from = way->to = (int)CHECK_OK(eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE));
		break;
	default:
		open_pair(&pair);
		set_raw(pair.slave, 1, 0);
		CHECK_OK(fcntl(pair.master, F_SETFL, O_NONBLOCK));
		CHECK_OK(fcntl(pair.slave, F_SETFL, O_NONBLOCK));
		way->from = pair.slave;
		way->to = pair.master;
	}
}

static void send(const struct way *way)
{
	uint64_t one = 1;
	size_t bytes = way->kind == EVENT ? sizeof one : 1;

	CHECK_EQ(write(way->to, &one, bytes), bytes);
}

// False: nothing is there.
static bool take(const struct way *way)
{
	uint64_t word;
	size_t bytes = way->kind == EVENT ? sizeof word : 1;

	return read(way->from, &word, bytes) == (ssize_t)bytes;
}

// --- Two threads and one event, which goes from one to the other by ways that chance chooses

struct player {
	struct thread thread;
	uint64_t random;
	struct way in[KINDS], *out;
	bool begins;
};

static unsigned choice(struct player *p, unsigned n)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return (unsigned)(p->random >> 20) % n;
}

static void wait_by_select(struct pollfd *asked)
{
	fd_set readable;
	int most = 0;

	FD_ZERO(&readable);
	for (int i = 0; i < KINDS; i++) {
		FD_SET(asked[i].fd, &readable);
		most = asked[i].fd > most ? asked[i].fd : most;
	}
	CHECK_EQ(select(most + 1, &readable, NULL, NULL, NULL), 1);
	for (int i = 0; i < KINDS; i++)
		asked[i].revents = FD_ISSET(asked[i].fd, &readable) ? POLLIN : 0;
}

static void wait_for_event(struct player *p)
{
	struct pollfd asked[KINDS];
	unsigned how = choice(p, 3), n = 0;

	for (int i = 0; i < KINDS; i++)
		asked[i] = (struct pollfd){.fd = p->in[i].from, .events = POLLIN};
	if (how == 0)
		wait_by_select(asked);
	else
		CHECK_EQ(poll(asked, KINDS, how == 1 ? -1 : LONG_MS), 1);
	for (int i = 0; i < KINDS; i++) {
		bool there = take(&p->in[i]);

		if (there != (asked[i].revents != 0))
			FAIL("%s has %s event", kind_names[i], there ? "an untold" : "no");
		n += there;
	}
	CHECK_EQ(n, 1);
	note_event();
}

static void play(void *arg)
{
	struct player *p = arg;

	if (p->begins)
		send(&p->out[choice(p, KINDS)]);
	for (unsigned i = 0; i < events_wanted; i++) {
		wait_for_event(p);
		if (!p->begins || i + 1 < events_wanted)
			send(&p->out[choice(p, KINDS)]);
	}
}

static void an_event_goes_to_and_fro(void)
{
	static struct player players[PAIRS][2];

	begin(200);
	for (int i = 0; i < PAIRS; i++)
		for (int side = 0; side < 2; side++) {
			struct player *p = &players[i][side];

			p->random = random_u64() | 1;
			p->out = players[i][!side].in;
			p->begins = !side;
			for (int kind = 0; kind < KINDS; kind++)
				open_way(&p->in[kind], kind);
		}
	for (int i = 0; i < PAIRS * 2; i++)
		thread_begin(&players[i / 2][i % 2].thread, play, &players[i / 2][i % 2]);
	for (int i = 0; i < PAIRS * 2; i++)
		thread_join(&players[i / 2][i % 2].thread);
	CHECK_EQ(events_seen, 2 * PAIRS * events_wanted);
}

// --- Many threads that wait for the same: each event wakes them all, and one gets it

static struct herd {
	struct way in;
	int answers[2];
	uint32_t over;
} herd;

static void graze(void *arg)
{
	struct pollfd asked = {.fd = herd.in.from, .events = POLLIN};
	bool over = false;

	(void)arg;
	while (!over) {
		CHECK_EQ(poll(&asked, 1, -1), 1);
		if (!take(&herd.in))
			continue;
		over = __atomic_load_n(&herd.over, __ATOMIC_SEQ_CST);
		CHECK_EQ(write(herd.answers[1], "y", 1), 1);
	}
}

static void feed(int kind)
{
	struct thread threads[HERD] = {0};
	char answer;

	begin(200);
	open_way(&herd.in, kind);
	CHECK_OK(pipe(herd.answers));
	for (int i = 0; i < HERD; i++)
		thread_begin(&threads[i], graze, NULL);
	for (unsigned i = 0; i < events_wanted + HERD; i++) {
		if (i == events_wanted)
			__atomic_store_n(&herd.over, 1, __ATOMIC_SEQ_CST);
		send(&herd.in);
		CHECK_EQ(read(herd.answers[0], &answer, 1), 1);
		note_event();
	}
	for (int i = 0; i < HERD; i++)
		thread_join(&threads[i]);
}

static void one_of_many_gets_it_from_a_pipe(void)
{
	feed(PIPE);
}

static void one_of_many_gets_it_from_an_eventfd(void)
{
	feed(EVENT);
}

static void one_of_many_gets_it_from_a_terminal(void)
{
	feed(TERMINAL);
}

// --- Room is an event, too: who fills a ring waits for who empties it, and the other way round

struct ring {
	struct thread filler, drainer;
	int from, to;
	size_t bytes;
};

static void wait_until(int fd, short events)
{
	struct pollfd asked = {.fd = fd, .events = events};

	CHECK_EQ(poll(&asked, 1, -1), 1);
	CHECK_EQ(asked.revents, events);
	note_event();
}

static void fill(void *arg)
{
	struct ring *r = arg;
	char block[PIPE_BUF];
	size_t sent = 0;
	ssize_t n;

	while (sent < r->bytes) {
		size_t want = r->bytes - sent < sizeof block ? r->bytes - sent : sizeof block;

		for (size_t i = 0; i < want; i++)
			block[i] = pattern(sent + i);
		n = write(r->to, block, want);
		if (n > 0)
			sent += (size_t)n;
		else
			wait_until(r->to, POLLOUT);
	}
}

static void drain(void *arg)
{
	struct ring *r = arg;
	char block[PIPE_BUF];
	size_t got = 0;
	ssize_t n;

	while (got < r->bytes) {
		n = read(r->from, block, sizeof block);
		if (n <= 0) {
			wait_until(r->from, POLLIN);
			continue;
		}
		check_pattern(block, got, (size_t)n);
		got += (size_t)n;
	}
}

static void to_and_from(struct ring *r, int from, int to)
{
	CHECK_OK(fcntl(from, F_SETFL, O_NONBLOCK));
	CHECK_OK(fcntl(to, F_SETFL, O_NONBLOCK));
	*r = (struct ring){.from = from, .to = to, .bytes = events_wanted * PAGE};
}

// What is typed passes byte by byte: it is less.
static void full_rings_go_on(void)
{
	static struct ring rings[3];
	struct pair shown, typed;
	int ends[2];

	begin(60);
	CHECK_OK(pipe(ends));
	open_pair(&shown);
	open_pair(&typed);
	set_raw(shown.slave, 1, 0);
	set_raw(typed.slave, 1, 0);
	to_and_from(&rings[0], ends[0], ends[1]);
	to_and_from(&rings[1], shown.master, shown.slave);
	to_and_from(&rings[2], typed.slave, typed.master);
	rings[2].bytes /= 8;
	for (int i = 0; i < 3; i++) {
		thread_begin(&rings[i].drainer, drain, &rings[i]);
		thread_begin(&rings[i].filler, fill, &rings[i]);
	}
	for (int i = 0; i < 3; i++) {
		thread_join(&rings[i].drainer);
		thread_join(&rings[i].filler);
	}
}

// --- Writers of a terminal take turns. One is interrupted as it is its turn and does not come
// --- back; the others must not wait for it

static struct {
	struct pair pair;
	int ended[2];
} turns;

static void nothing(int number)
{
	(void)number;
}

static void write_some(void *arg)
{
	(void)arg;
	(void)!write(
		turns.pair.slave, "0123456789abcdef", 16); // all, or what was done until the signal
	CHECK_EQ(write(turns.ended[1], "e", 1), 1);
}

static void fill_screen(void)
{
	CHECK_OK(fcntl(turns.pair.slave, F_SETFL, O_NONBLOCK));
	while (write(turns.pair.slave, "full", 4) > 0)
		;
	CHECK_OK(fcntl(turns.pair.slave, F_SETFL, 0));
}

static void drain_screen(void)
{
	char screen[PAGE];

	CHECK_OK(fcntl(turns.pair.master, F_SETFL, O_NONBLOCK));
	while (read(turns.pair.master, screen, sizeof screen) > 0)
		;
}

static void interrupted_writers_pass_their_turn_on(void)
{
	struct sigaction action = {.sa_handler = nothing};
	static struct thread writers[4];
	char end;

	begin(80);
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	open_pair(&turns.pair);
	set_raw(turns.pair.slave, 1, 0);
	CHECK_OK(pipe(turns.ended));
	for (unsigned round = 0; round < events_wanted; round++) {
		fill_screen();
		for (int i = 0; i < 4; i++)
			thread_begin(&writers[i], write_some, NULL);
		for (unsigned i = random_below(40); i > 0; i--)
			sched_yield();
		drain_screen();
		for (int i = 0; i < 3; i++)
			syscall(SYS_tgkill, getpid(), writers[i].tid, SIGUSR1);
		for (int i = 0; i < 4; i++) {
			CHECK_EQ(read(turns.ended[0], &end, 1), 1);
			note_event();
		}
		for (int i = 0; i < 4; i++)
			thread_join(&writers[i]);
		drain_screen();
	}
}

static const struct test tests[] = {
	{"an_event_goes_to_and_fro", an_event_goes_to_and_fro},
	{"one_of_many_gets_it_from_a_pipe", one_of_many_gets_it_from_a_pipe},
	{"one_of_many_gets_it_from_an_eventfd", one_of_many_gets_it_from_an_eventfd},
	{"one_of_many_gets_it_from_a_terminal", one_of_many_gets_it_from_a_terminal},
	{"full_rings_go_on", full_rings_go_on},
	{"interrupted_writers_pass_their_turn_on", interrupted_writers_pass_their_turn_on},
};

BEYOND_CORE_MAIN(tests)
