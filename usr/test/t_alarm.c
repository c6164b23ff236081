// SPDX-License-Identifier: MIT
// Interval timers of real time that come faster than anybody could take their signals.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/tap.h"

static const struct itimerval microsecond = {{.tv_usec = 1}, {.tv_usec = 1}};

static volatile int count;  // of alarms taken
static volatile int enough; // that many, and the timer is off

static void note(int number)
{
	struct itimerval off = {0};

	(void)number;
	if (++count == enough)
		setitimer(ITIMER_REAL, &off, NULL);
}

static void handle_alarms(void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	CHECK_OK(sigaction(SIGALRM, &action, NULL));
}

static void block_alarms(int how)
{
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	CHECK_OK(sigprocmask(how, &alarms, NULL));
}

// The alarm has come and is not set again, though its interval still is.
static void until_it_waits(void)
{
	struct itimerval now;

	do
		CHECK_OK(getitimer(ITIMER_REAL, &now));
	while (now.it_value.tv_usec);
	CHECK_EQ(now.it_interval.tv_usec, 1);
}

static void the_next_waits_until_the_last_is_taken(void)
{
	sigset_t none;

	sigemptyset(&none);
	handle_alarms(note);
	block_alarms(SIG_BLOCK);
	CHECK_OK(setitimer(ITIMER_REAL, &microsecond, NULL));
	for (int taken = 1; taken <= 20; taken++) {
		until_it_waits();
		CHECK_EQ(sigsuspend(&none), -1);
		CHECK_EQ(count, taken);
	}
}

static void one_that_is_ignored_comes_once(void)
{
	handle_alarms(SIG_IGN);
	CHECK_OK(setitimer(ITIMER_REAL, &microsecond, NULL));
	until_it_waits();
	handle_alarms(note);
	enough = 3;
	CHECK_OK(kill(getpid(), SIGALRM)); // which is taken like any other
	while (count < enough)
		;
}

static int far; // times that the next was further away than its interval

static void note_far(int number)
{
	struct itimerval now = {0};

	(void)getitimer(ITIMER_REAL, &now);
	far += now.it_value.tv_usec > microsecond.it_interval.tv_usec;
	if (far == 10)
		enough = count + 1;
	note(number);
}

// Linux's come back to back, and what they interrupt may stand still until the last. Here the next
// is set later, if only the handler gets to ask: the machine below may stop at any moment as long
// as it likes, so that not each time is counted, and there are many. What is set back to back is
// never further away than its interval.
static void they_leave_time(void)
{
	if (!on_mapache())
		tap_skip("Linux does not promise it");
	enough = 1000;
	handle_alarms(note_far);
	CHECK_OK(setitimer(ITIMER_REAL, &microsecond, NULL));
	while (count < enough)
		;
	CHECK_EQ(far, 10);
}

static void none_is_left(void)
{
	struct itimerval off = {0}, was;

	handle_alarms(note);
	block_alarms(SIG_BLOCK);
	CHECK_OK(setitimer(ITIMER_REAL, &microsecond, NULL));
	until_it_waits();
	CHECK_OK(setitimer(ITIMER_REAL, &off, &was));
	CHECK_EQ(was.it_value.tv_usec, 0);
	CHECK_EQ(was.it_interval.tv_usec, 1);
	block_alarms(SIG_UNBLOCK);
	CHECK_EQ(count, 1); // it was pending; taking it sets none
	CHECK_OK(getitimer(ITIMER_REAL, &was));
	CHECK_EQ(was.it_value.tv_usec, 0);
	CHECK_EQ(was.it_interval.tv_usec, 0);
}

// Its signal has come by then, or never does; the moments go from before the timer to after it.
static void none_comes_once_it_is_unset(void)
{
	static const struct itimerval off, once = {.it_value = {.tv_usec = 1}};

	handle_alarms(note);
	for (int round = 0; round < 8000; round++) {
		CHECK_OK(setitimer(ITIMER_REAL, &once, NULL));
		for (unsigned n = random_below(4000); n; n--)
			__asm__ volatile("" : "+r"(n));
		CHECK_OK(setitimer(ITIMER_REAL, &off, NULL));
		int before = count;
		for (int look = 0; look < 10; look++)
			CHECK_OK(getpid());
		CHECK_EQ(count, before);
	}
}

static const struct test tests[] = {
	{"the_next_waits_until_the_last_is_taken", the_next_waits_until_the_last_is_taken},
	{"one_that_is_ignored_comes_once", one_that_is_ignored_comes_once},
	{"they_leave_time", they_leave_time},
	{"none_is_left", none_is_left},
	{"none_comes_once_it_is_unset", none_comes_once_it_is_unset},
};

TEST_MAIN(tests)
