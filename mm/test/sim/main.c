// SPDX-License-Identifier: MIT
/*
 * The simulator's command line: runs the scenarios, a range of seeds each.
 *
 * A failure is reported with the line that repeats it; --trace then tells what happened.
 */
#include "scenarios.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DISTINCT_BITS 22

static struct {
	const char *scenario; /* part of its name; NULL: all */
	uint64_t seed;
	unsigned long schedules;
	unsigned shard, shards;
	int strategy; /* -1: by the seed */
	unsigned depth;
	int coarse; /* -1: by the seed */
	bool trace;
} options = {.seed = 1, .schedules = 25000, .shards = 1, .strategy = -1, .coarse = -1};

/* What runs, for a report. */
static struct {
	const struct scenario *scenario;
	uint64_t seed;
	unsigned long number; /* 0: one of those that only measure */
} running;

static const char *const strategies[] = {"walk", "pct", "cooperative"};

/* --- Reports ---------------------------------------------------------------------------------- */

static void print_repeat(void)
{
	printf("# repeat: mm_sim --scenario %s --replay %lu", running.scenario->name,
		(unsigned long)running.seed);
	if (options.strategy >= 0)
		printf(" --%s", strategies[options.strategy]);
	if (options.depth)
		printf(" %u", options.depth);
	if (options.coarse >= 0)
		printf(options.coarse ? " --coarse" : " --fine");
	printf(" --trace\n");
}

void sim_fail(const char *format, ...)
{
	static bool failing;
	va_list list;

	if (failing)
		_exit(1);
	failing = true;
	printf("not ok - %s: ", running.scenario->name);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n# schedule %lu of this run, seed %lu, point %lu\n", running.number,
		(unsigned long)running.seed, (unsigned long)sched_points());
	print_repeat();
	sched_dump();
	fflush(stdout);
	_exit(1);
}

static void crashed(int number)
{
	(void)number;
	sim_fail("mm has crashed");
}

static void on_crash(void)
{
	static char stack[64 * 1024];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK};

	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
}

/* --- Plans ------------------------------------------------------------------------------------ */

/* How many points the scenario has, fine and coarse: the mean of some schedules. */
static void measure(const struct scenario *s, uint64_t length[2])
{
	const unsigned runs = 8;

	for (unsigned coarse = 0; coarse < 2; coarse++) {
		struct plan plan = {.strategy = STRATEGY_WALK, .run = 1000, .coarse = coarse};

		length[coarse] = 0;
		for (unsigned i = 0; i < runs; i++) {
			running.seed = i;
			scenario_run(s, &plan, i);
			length[coarse] += sched_steps() / runs;
		}
	}
}

static struct plan draw_plan(uint64_t *random, const uint64_t length[2])
{
	static const enum strategy mix[8] = {STRATEGY_PCT, STRATEGY_WALK, STRATEGY_PCT,
		STRATEGY_WALK, STRATEGY_PCT, STRATEGY_WALK, STRATEGY_PCT, STRATEGY_COOPERATIVE};
	struct plan plan = {.strategy = mix[random_below(random, 8)]};

	plan.coarse = random_below(random, 2);
	plan.run = 1u << random_below(random, 10);
	plan.depth = 2 + random_below(random, 4);
	if (options.strategy >= 0)
		plan.strategy = (enum strategy)options.strategy;
	if (options.depth)
		plan.depth = options.depth;
	if (options.coarse >= 0)
		plan.coarse = options.coarse;
	plan.length = length[plan.coarse];
	return plan;
}

/* --- Runs ------------------------------------------------------------------------------------- */

/* A set of hashes; when it is full, what it says is too little. */
static uint32_t *distinct;

static bool is_new(uint64_t hash)
{
	uint32_t key = (uint32_t)(hash >> 32) | 1;
	size_t mask = (1u << DISTINCT_BITS) - 1, at = hash & mask;

	for (unsigned tries = 0; tries < 16; tries++, at = (at + 1) & mask) {
		if (distinct[at] == key)
			return false;
		if (distinct[at] == 0) {
			distinct[at] = key;
			return true;
		}
	}
	return false;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run_scenario(const struct scenario *s, unsigned number)
{
	unsigned long different = 0;
	uint64_t points = 0, length[2];
	double began = seconds();

	running.scenario = s;
	running.number = 0;
	memset(distinct, 0, sizeof *distinct << DISTINCT_BITS);
	sim_tracing = false;
	measure(s, length);
	sim_tracing = options.trace;
	for (running.number = 1; running.number <= options.schedules; running.number++) {
		uint64_t random;
		struct plan plan;

		running.seed = options.seed + options.shard + (running.number - 1) * options.shards;
		random = running.seed;
		plan = draw_plan(&random, length);
		scenario_run(s, &plan, random_next(&random));
		points += sched_points();
		different += is_new(sched_hash());
	}
	printf("ok %u - %s: %lu schedules, %lu different, %lu points each, %.0f schedules/s\n",
		number, s->name, options.schedules, different,
		(unsigned long)(points / (options.schedules ? options.schedules : 1)),
		(double)options.schedules / (seconds() - began));
	fflush(stdout);
}

static void usage(void)
{
	printf("usage: mm_sim [OPTION]...\n"
	       "  --scenario NAME  only this one, or those whose names begin so; --list names "
	       "them\n"
	       "  --schedules N    so many of each (%lu)\n"
	       "  --seed N         the first seed (1)\n"
	       "  --shard I/N      every Nth seed from the Ith on, I from 0\n"
	       "  --replay SEED    this one schedule\n"
	       "  --trace          tell what happens\n"
	       "  --walk, --pct D, --cooperative, --fine, --coarse   else as the seed says\n",
		options.schedules);
	exit(2);
}

static void list(void)
{
	for (unsigned i = 0; i < n_scenarios; i++)
		printf("%s\n", scenarios[i].name);
	exit(0);
}

/* Options without an argument; false: it is none. */
static bool flag(const char *name)
{
	if (!strcmp(name, "--list"))
		list();
	else if (!strcmp(name, "--trace"))
		options.trace = true;
	else if (!strcmp(name, "--walk"))
		options.strategy = STRATEGY_WALK;
	else if (!strcmp(name, "--cooperative"))
		options.strategy = STRATEGY_COOPERATIVE;
	else if (!strcmp(name, "--fine") || !strcmp(name, "--coarse"))
		options.coarse = !strcmp(name, "--coarse");
	else
		return false;
	return true;
}

static void option(const char *name, const char *value)
{
	if (!strcmp(name, "--scenario"))
		options.scenario = value;
	else if (!strcmp(name, "--schedules"))
		options.schedules = strtoul(value, NULL, 0);
	else if (!strcmp(name, "--seed"))
		options.seed = strtoull(value, NULL, 0);
	else if (!strcmp(name, "--shard") &&
		 sscanf(value, "%u/%u", &options.shard, &options.shards) == 2 && options.shards)
		return;
	else if (!strcmp(name, "--pct"))
		options.strategy = STRATEGY_PCT, options.depth = (unsigned)strtoul(value, NULL, 0);
	else if (!strcmp(name, "--replay"))
		options.seed = strtoull(value, NULL, 0), options.schedules = 1;
	else
		usage();
}

int main(int argc, char **argv)
{
	unsigned number = 0;

	for (int i = 1; i < argc; i++) {
		if (flag(argv[i]))
			continue;
		if (i + 1 == argc)
			usage();
		option(argv[i], argv[i + 1]);
		i++;
	}
	distinct = calloc((size_t)1 << DISTINCT_BITS, sizeof *distinct);
	if (!distinct)
		return 2;
	on_crash();
	sched_init();
	printf("TAP version 13\n# seed %lu\n", (unsigned long)options.seed);
	for (unsigned i = 0; i < n_scenarios; i++) {
		const char *only = options.scenario;

		if (!only || !strncmp(scenarios[i].name, only, strlen(only)))
			run_scenario(&scenarios[i], ++number);
	}
	printf("1..%u\n", number);
	return number ? 0 : 2;
}
