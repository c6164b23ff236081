// SPDX-License-Identifier: MIT
// Lines that go while somebody takes their terminal, and what is remembered of one that went.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/stock.h"
#include "lib/tap.h"
#include "lib/text.h"
#include "lib/threads.h"

static void lead_without_terminal(void)
{
	CHECK_OK(setsid());
	signal(SIGHUP, SIG_IGN);
}

// --- One thread takes the terminal while another closes its master. How late the master is closed
// --- follows from what came before: sooner after a terminal that could be taken, later after one
// --- that could not, so that the two meet.

#define ROUNDS 200
#define STEP   16

static struct {
	struct pair pair;
	uint32_t begun, closed; // rounds
	unsigned delay;         // of this round's close
} race;

static void spin(unsigned n)
{
	for (volatile unsigned i = 0; i < n; i++)
		;
}

static void wait_for_round(uint32_t *word, uint32_t round)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != round)
		sched_yield();
}

static void close_masters(void *arg)
{
	(void)arg;
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		wait_for_round(&race.begun, round);
		spin(race.delay);
		close(race.pair.master);
		__atomic_store_n(&race.closed, round, __ATOMIC_RELEASE);
	}
}

// The number of the controlling terminal; 0: there is none.
static int terminal_number(void)
{
	int number = -1;

	CHECK_EQ(sscanf(strrchr(text_of("/proc/self/stat"), ')') + 1, " %*c %*d %*d %*d %d",
			 &number),
		1);
	return number;
}

// By asking for it, or by opening it. False: the master was faster.
static bool take(bool ask)
{
	int fd;

	if (ask)
		return ioctl(race.pair.slave, TIOCSCTTY, 0) == 0;
	fd = open(race.pair.name, O_RDWR);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void take_what_goes(void *arg)
{
	static struct thread closer;
	unsigned delay[2] = {20 * STEP, 20 * STEP};

	(void)arg;
	lead_without_terminal();
	thread_begin(&closer, close_masters, NULL);
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		bool ask = round % 2;

		open_pair(&race.pair);
		race.delay = delay[ask] + random_below(2 * STEP);
		__atomic_store_n(&race.begun, round, __ATOMIC_RELEASE);
		if (!take(ask))
			delay[ask] += STEP;
		else if (delay[ask])
			delay[ask] -= STEP;
		wait_for_round(&race.closed, round);
		CHECK_OK(close(race.pair.slave));
		CHECK_EQ(terminal_number(), 0);
	}
	thread_join(&closer);
}

static void nobody_keeps_a_terminal_whose_line_went(void)
{
	must_exit_well(start_child(take_what_goes, NULL));
}

// --- Who was in front of a terminal that went

#define LEADERS 40
#define SPARE   16

static void lose_one_and_take_another(void *arg)
{
	struct pair lost, kept;

	(void)arg;
	lead_without_terminal();
	open_pair(&lost);
	CHECK_OK(ioctl(lost.slave, TIOCSCTTY, 0));
	close_pair(&lost);
	CHECK_EQ(terminal_number(), 0);
	open_pair(&kept);
	CHECK_OK(ioctl(kept.slave, TIOCSCTTY, 0));
	CHECK(terminal_number() != 0);
}

// Their numbers are free again.
static void another_terminal_takes_the_place_of_one_that_went(void)
{
	struct stock *before = on_mapache() ? take_stock() : NULL;
	char why[256];

	for (int i = 0; i < LEADERS; i++)
		must_exit_well(start_child(lose_one_and_take_another, NULL));
	if (before && !is_well(before, SPARE, why, sizeof why))
		FAIL("afterwards: %s", why);
	free(before);
}

static const struct test tests[] = {
	{"nobody_keeps_a_terminal_whose_line_went", nobody_keeps_a_terminal_whose_line_went},
	{"another_terminal_takes_the_place_of_one_that_went",
		another_terminal_takes_the_place_of_one_that_went},
};

BEYOND_CORE_MAIN(tests)
