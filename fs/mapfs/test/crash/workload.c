// SPDX-License-Identifier: MIT
#include "workload.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A mapped store alone promises nothing: it comes with its msync. */
static const char *const singles[] = {
	"create /n",
	"create /d/n",
	"write /n 0 5000",
	"write /b 0 6000",
	"write /b 9000 300",
	"write /a 0 4096",
	"write /a 1000 9000",
	"write /b 100 300",
	"append /b 300",
	"append /a 4096",
	"append /d/f 5000",
	"store /a 4090 100; msync /a 4090 100",
	"store /a 100 50; store /a 8192 50; msync /a 0 4096",
	"store /b 600 100; msync /b 600 100",
	"scribble /b 50",
	"rename /a /n",
	"rename /b /a",
	"rename /n /a",
	"rename /a /d/f",
	"rename /d/f /n",
	"rename /e /g",
	"rename /e /d/e",
	"rename /d /e",
	"rename /d/f /a",
	"move /a /d/n",
	"move /b /a",
	"exchange /a /d/f",
	"exchange /e /b",
	"link /a /n",
	"link /b /e/n",
	"symlink /s 20",
	"symlink /e/s 300",
	"unlink /a",
	"unlink /b",
	"unlink /d/f",
	"hold /a; unlink /a",
	"mkdir /m",
	"mkdir /e/m",
	"rmdir /e",
	"rmdir /m",
	"truncate /a 0",
	"truncate /a 5000",
	"truncate /a 8192",
	"truncate /a 20000",
	"truncate /b 300",
	"truncate /b 5000",
	"truncate /d/f 4096",
	"truncate /x 0",
	"truncate /x 60000",
	"write /x 0 32768",
	"unlink /x",
	"punch /a 4096 4096",
	"punch /a 1000 8000",
	"punch /b 100 512",
	"punch /x 4096 90000",
	"allocate /a 4096 20000",
	"allocate /n 0 9000",
	"reserve /b 4096 8192",
	"zero /a 1000 9000",
	"zero /b 100 6000",
	"chmod /a 384",
	"chmod /d 448",
	"fsync /a",
	"fsync /b",
	"fsync /n",
	"fsync /d",
	"fsync /",
	"fdatasync /a",
	"fdatasync /b",
	"fdatasync /n",
	"sync",
};
#define SINGLES ((unsigned)(sizeof(singles) / sizeof(singles[0])))

/*
 * What programs do, and where others fell in: blocks that are freed and used again at once, as data
 * and as metadata, while older copies of them are in the log; holes and tails that come back to
 * light; pages that are cut before they were written.
 */
static const char *const stories[] = {
	"create /n; write /n 0 6000; fsync /n; rename /n /a",
	"create /n; write /n 0 6000; rename /n /a; fsync /a",
	"unlink /a; create /n; write /n 0 12288; fsync /n",
	"truncate /a 0; create /n; write /n 0 12288; fdatasync /n",
	"punch /a 0 8192; create /n; write /n 0 8192; fsync /n",
	"create /e/n; fsync /e; unlink /e/n; rmdir /e; sync; create /n; write /n 0 16384; fsync /n",
	"symlink /s 300; sync; unlink /s; sync; create /n; write /n 0 16384; fsync /n; sync",
	"write /x 135168 100; fsync /x; truncate /x 0; sync; create /n; write /n 0 20480; fsync /n",
	"hold /a; unlink /a; sync; write /b 0 6000; fsync /b",
	"hold /a; hold /d/f; unlink /a; unlink /d/f; sync; create /n; fsync /n",
	"hold /a; rename /b /a; fsync /; append /b 100",
	"truncate /a 5000; fsync /a; truncate /a 12288; fsync /a",
	"truncate /a 5000; fsync /a; write /a 8192 100; fsync /a",
	"truncate /a 5000; truncate /a 9000; append /a 10; fdatasync /a",
	"truncate /a 5000; write /a 8192 100; msync /a 8192 100",
	"scribble /b 3000; truncate /b 5000; fsync /b; truncate /b 10000",
	"scribble /b 3000; fsync /b; write /b 5000 100; msync /b 5000 100",
	"append /b 300; fsync /b; append /b 300; fsync /b; append /b 4000; fsync /b",
	"write /a 0 4096; fdatasync /a; write /a 0 4096; fdatasync /a; write /a 0 512; sync",
	"store /a 0 40; write /a 4096 4096; msync /a 0 4096; store /a 8000 500; fdatasync /a",
	"mkdir /m; mkdir /m/m; create /m/m/n; fsync /m/m/n; rename /m/m /e/m; fsync /e",
	"create /n; write /n 0 9000; truncate /n 0; write /n 0 100; unlink /n",
	"write /b 4096 9000; punch /b 4096 8192; sync",
	"store /a 0 40; msync /a 0 40; store /a 20 40; msync /a 0 40; store /a 9 9; fdatasync /a",
	"store /a 0 40; truncate /a 30; truncate /a 9000; store /a 100 40; msync /a 100 40",
	"create /n; write /n 0 5000; store /n 4000 500; rename /n /a; store /a 0 99; msync /a 0 99",
	/* Room before bytes: what it held before must not be seen. */
	"create /n; allocate /n 0 12288; write /n 4000 4200; fdatasync /n; sync",
	"allocate /b 0 9000; store /b 5000 99; msync /b 5000 99; truncate /b 300; sync",
	"reserve /a 8192 16384; append /a 5000; fsync /a; unlink /a; allocate /b 0 16384; fsync /b",
	"zero /a 0 12288; write /a 4096 99; fsync /a; punch /a 0 4096; write /a 0 50; sync",
	/* What the next group changes while one is committed. */
	"create /e/z; append /b 3000; fsync /b & create /e/n",
	"create /n; fsync /n & rename /n /a; fdatasync /b && chmod /a 256",
	"write /b 0 300; fsync /b && unlink /a; create /n; write /n 0 12288; fsync /n",
	"unlink /a; sync & create /n; write /n 0 12288; fsync /n && append /n 5000",
	"truncate /x 0; fsync /x & write /x 0 16384; fsync /x && unlink /x; sync",
	"store /a 0 99; msync /a 0 99 & store /a 50 99; write /b 0 99; fsync /b & write /b 50 99",
	/* Directories with so many names that their tree grows, splits, merges, shrinks. */
	"wide 14 0 | create /w/15~",
	"wide 14 0 | rename /b /w/15~; fsync /w",
	"wide 24 0 | create /w/25~",
	"wide 24 0 | rename /w/3~ /w/25~",
	"wide 24 0 | exchange /w/3~ /a; move /d/f /w/25~",
	"wide 32 16 | unlink /w/17~",
	"wide 32 16 | rename /w/17~ /n",
	"wide 32 24 | unlink /w/25~",
	"wide 32 24 | rename /w/25~ /w/n",
	"wide 32 24 | unlink /w/25~; sync; create /n; write /n 0 16384; fsync /n; sync",
	"wide 32 31 | unlink /w/32~; rmdir /w; sync; create /n; write /n 0 16384; fsync /n; sync",
	"wide 24 0 | create /w/25~; sync; unlink /w/25~; sync; create /w/26~; fsync /",
	"store /a 5000 99; unlink /a; sync; create /a; write /a 0 9000; store /a 5000 99; fsync /a",
};
#define STORIES ((unsigned)(sizeof(stories) / sizeof(stories[0])))

/* And one more: commits of one block until the log has gone round. */
#define COMMITS 32u

static void round_text(char *text, size_t bytes)
{
	size_t at = 0;

	for (unsigned i = 1; i <= COMMITS; i++)
		at += (size_t)snprintf(
			text + at, bytes - at, "%schmod /a %u; fsync /a", i > 1 ? "; " : "", i);
}

/* What is lost, one block of its group after the other, and then done again. */
static const char *const again[] = {
	"create /n", "unlink /d/f", "rename /b /a", "append /b 5000", "mkdir /m", "chmod /a 1"};
#define LOSSES  8u /* blocks of a group, or more */
#define N_AGAIN (LOSSES * (unsigned)(sizeof(again) / sizeof(again[0])))

static void again_text(unsigned i, char *text, size_t bytes)
{
	snprintf(text, bytes, "lose %u of %s | %s; fsync /a; sync", i % LOSSES, again[i / LOSSES],
		again[i / LOSSES]);
}

#define ALWAYS (SINGLES + STORIES + 1 + N_AGAIN)

unsigned workload_always(void)
{
	return ALWAYS;
}

/* --- Two operations ---------------------------------------------------------------------- */

/* A commit, and at its first or second flush something else, where that does not wait for it. */
static const char *const commits[] = {"append /b 3000; fsync /b", "create /e/z; unlink /d/f; sync"};
#define MEETINGS (2 * SINGLES * (unsigned)(sizeof(commits) / sizeof(commits[0])))
#define PAIRS    (SINGLES * SINGLES + MEETINGS)

static void meeting_text(unsigned i, char *text, size_t bytes)
{
	const char *then = singles[i / 2 % SINGLES];
	bool waits = strncmp(then, "sync", 4) == 0 || strncmp(then, "fsync", 5) == 0 ||
		     strncmp(then, "fdatasync", 9) == 0;

	snprintf(text, bytes, "%s%s %s", commits[i / 2 / SINGLES],
		waits   ? ";"
		: i % 2 ? " &&"
			: " &",
		then);
}

static void pair_text(unsigned pair, char *text, size_t bytes)
{
	if (pair < MEETINGS)
		meeting_text(pair, text, bytes);
	else
		snprintf(text, bytes, "%s; %s", singles[(pair - MEETINGS) / SINGLES],
			singles[(pair - MEETINGS) % SINGLES]);
}

static unsigned pairs_of(const struct workloads *set)
{
	return set->pairs == WORKLOAD_ALL_PAIRS ? PAIRS : set->pairs;
}

unsigned workload_count(const struct workloads *set)
{
	return ALWAYS + pairs_of(set) + set->longs;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed >> 16;
}

/* The i-th thing that is drawn has a seed of its own, so that it can be had without the others. */
static uint64_t seed_of(const struct workloads *set, unsigned i)
{
	uint64_t seed = (set->seed + i) * 0x9e3779b97f4a7c15u | 1;

	next_random(&seed);
	return seed;
}

/* --- Long ones --------------------------------------------------------------------------- */

static const char *const files[] = {"/a", "/b", "/d/f", "/d/h", "/n", "/d/n", "/e/n", "/m/n", "/x"};
static const char *const names[] = {"/a", "/b", "/d/f", "/d/h", "/n", "/d/n", "/e/n", "/m/n", "/x",
	"/w/3~", "/w/12~", "/w/25~", "/w/26~", "/w/n"};
static const char *const dirs[] = {"/d", "/e", "/m", "/d/m", "/w", "/"};

static const char *pick(const char *const *from, size_t n, uint64_t *seed)
{
	return from[next_random(seed) % n];
}
#define PICK(from, seed) pick(from, sizeof(from) / sizeof(from[0]), seed)

/* Sizes on both sides of sectors and blocks. */
static unsigned random_bytes(uint64_t *seed, unsigned most)
{
	unsigned n = (unsigned)(next_random(seed) % most);

	switch (next_random(seed) % 4) {
	case 0:
		return n / 4096 * 4096;
	case 1:
		return n / 512 * 512;
	default:
		return n;
	}
}

static void data_op(uint64_t *seed, char *text, size_t bytes)
{
	static const char *const kinds[] = {"write", "write", "punch"};
	static const char *const room[] = {"allocate", "reserve", "zero"};
	const char *file = PICK(files, seed);
	unsigned at = random_bytes(seed, 24000), n = random_bytes(seed, 9000) + 1;

	switch (next_random(seed) % 8) {
	case 3:
		snprintf(text, bytes, "scribble %s %u", file, n % 2000);
		break;
	case 4:
		snprintf(text, bytes, "%s %s %u %u", PICK(room, seed), file, at, n);
		break;
	case 0:
		snprintf(text, bytes, "append %s %u", file, n);
		break;
	case 1:
		snprintf(text, bytes, "truncate %s %u", file, at);
		break;
	case 2:
		snprintf(text, bytes, "store %s %u 40; msync %s %u 40", file, at % 4000, file,
			at % 4000);
		break;
	default:
		snprintf(text, bytes, "%s %s %u %u", PICK(kinds, seed), file, at, n);
	}
}

static void name_op(uint64_t *seed, char *text, size_t bytes)
{
	static const char *const one[] = {"create", "create", "unlink", "hold"};
	static const char *const two[] = {"rename", "rename", "move", "link", "exchange"};
	static const char *const on_dir[] = {"mkdir", "mkdir", "rmdir", "fsync"};

	switch (next_random(seed) % 3) {
	case 0:
		snprintf(text, bytes, "%s %s", PICK(one, seed), PICK(names, seed));
		break;
	case 1:
		snprintf(text, bytes, "%s %s %s", PICK(two, seed), PICK(names, seed),
			PICK(names, seed));
		break;
	default:
		snprintf(text, bytes, "%s %s", PICK(on_dir, seed), PICK(dirs, seed));
	}
}

static void random_op(uint64_t *seed, char *text, size_t bytes)
{
	static const char *const sync[] = {"fsync", "fdatasync"};
	uint64_t r = next_random(seed) % 20;

	if (r == 0)
		snprintf(text, bytes, "sync");
	else if (r < 4)
		snprintf(text, bytes, "%s %s", PICK(sync, seed), PICK(files, seed));
	else if (r < 6)
		snprintf(text, bytes, "rename %s %s", PICK(dirs, seed), PICK(dirs, seed));
	else if (r < 12)
		name_op(seed, text, bytes);
	else
		data_op(seed, text, bytes);
}

/* Where there is no /w, what is done to it is refused. */
static void long_text(uint64_t seed, unsigned length, char *text, size_t bytes)
{
	static const char *const begin[] = {
		"", "", "wide 14 0 | ", "wide 24 0 | ", "wide 32 22 | "};
	size_t at = (size_t)snprintf(text, bytes, "%s", PICK(begin, &seed));

	for (unsigned i = 0; i < length && at + 128 < bytes; i++) {
		at += (size_t)snprintf(text + at, bytes - at, "%s", i ? "; " : "");
		random_op(&seed, text + at, bytes - at);
		at += strlen(text + at);
	}
}

/* How many long ones are among the first n of what is drawn: they are spread evenly. */
static unsigned longs_among(const struct workloads *set, unsigned n)
{
	return (unsigned)((uint64_t)n * set->longs / (pairs_of(set) + set->longs));
}

static void drawn_text(const struct workloads *set, unsigned i, char *text, size_t bytes)
{
	unsigned longs = longs_among(set, i);
	uint64_t seed = seed_of(set, i);

	if (longs_among(set, i + 1) > longs)
		long_text(seed, set->length, text, bytes);
	else if (set->pairs == WORKLOAD_ALL_PAIRS)
		pair_text(i - longs, text, bytes);
	else
		pair_text((unsigned)(next_random(&seed) % PAIRS), text, bytes);
}

void workload_text(const struct workloads *set, unsigned i, char *text, size_t bytes)
{
	if (i < SINGLES)
		snprintf(text, bytes, "%s", singles[i]);
	else if (i < SINGLES + STORIES)
		snprintf(text, bytes, "%s", stories[i - SINGLES]);
	else if (i < SINGLES + STORIES + N_AGAIN)
		again_text(i - SINGLES - STORIES, text, bytes);
	else if (i < ALWAYS)
		round_text(text, bytes);
	else
		drawn_text(set, i - ALWAYS, text, bytes);
}
