// SPDX-License-Identifier: MIT
/*
 * /proc/PID/limits, and oom_score with oom_score_adj: who ends first when memory runs out.
 */
#include "procfs.h"

#include <abi/errno.h>
#include <kernel/frames.h>
#include <kernel/oom.h>

/* --- limits ----------------------------------------------------------------------------------- */

static void show_value(struct proc_text *t, uint64_t value)
{
	if (value == RLIM_INFINITY)
		proc_printf(t, "%-20s ", "unlimited");
	else
		proc_printf(t, "%-20lu ", value);
}

void proc_show_limits(struct proc_text *t, struct process *p)
{
	static const struct {
		const char *name, *unit;
	} lines[RLIM_NLIMITS] = {
		[RLIMIT_CPU] = {"Max cpu time", "seconds"},
		[RLIMIT_FSIZE] = {"Max file size", "bytes"},
		[RLIMIT_DATA] = {"Max data size", "bytes"},
		[RLIMIT_STACK] = {"Max stack size", "bytes"},
		[RLIMIT_CORE] = {"Max core file size", "bytes"},
		[RLIMIT_RSS] = {"Max resident set", "bytes"},
		[RLIMIT_NPROC] = {"Max processes", "processes"},
		[RLIMIT_NOFILE] = {"Max open files", "files"},
		[RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
		[RLIMIT_AS] = {"Max address space", "bytes"},
		[RLIMIT_LOCKS] = {"Max file locks", "locks"},
		[RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
		[RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
		[RLIMIT_NICE] = {"Max nice priority", ""},
		[RLIMIT_RTPRIO] = {"Max realtime priority", ""},
		[RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
	};

	proc_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
		spin_lock(&p->lock);
		struct rlimit limit = p->limits[i];
		spin_unlock(&p->lock);
		proc_printf(t, "%-25s ", lines[i].name);
		show_value(t, limit.rlim_cur);
		show_value(t, limit.rlim_max);
		proc_printf(t, *lines[i].unit ? "%-10s\n" : "%s\n", lines[i].unit);
	}
}

/* --- oom_score -------------------------------------------------------------------------------- */

/* As Linux scales it: 0 never, 667 nothing but the rest of the machine's memory, 1333 all of it. */
void proc_show_oom_score(struct proc_text *t, struct process *p)
{
	int64_t points = oom_points(p), score = 0;

	if (points != OOM_NEVER)
		score = (1000 + points * 1000 / (int64_t)frames_total()) * 2 / 3;
	proc_printf(t, "%ld\n", score > 0 ? score : 0);
}

void proc_show_oom_score_adj(struct proc_text *t, struct process *p)
{
	proc_printf(t, "%d\n", __atomic_load_n(&p->oom_score_adj, __ATOMIC_RELAXED));
}

static const char *skip_blanks(const char *s)
{
	while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		s++;
	return s;
}

static unsigned digit(char c)
{
	unsigned letter = (unsigned)(c | 0x20) - 'a';

	return c >= '0' && c <= '9' ? (unsigned)(c - '0') : letter < 26 ? letter + 10 : 36;
}

/* "0x" begins a hexadecimal number, "0" an octal one. */
static unsigned base_of(const char **digits)
{
	if (**digits != '0')
		return 10;
	if (((*digits)[1] | 0x20) != 'x')
		return 8;
	*digits += 2;
	return 16;
}

/* A number as Linux takes it, with blanks around it. */
static int parse(const char *line, int *value)
{
	const char *first = skip_blanks(line), *s;
	bool negative = *first == '-';

	first += negative || *first == '+';
	unsigned base = base_of(&first);
	*value = 0;
	for (s = first; digit(*s) < base && *value <= OOM_ADJ_MAX; s++)
		*value = *value * (int)base + (int)digit(*s);
	if (s == first || *skip_blanks(s) || *value > OOM_ADJ_MAX)
		return -EINVAL;
	*value = negative ? -*value : *value;
	return 0;
}

/* Anybody may offer a process of his, and take that back; to spare one is root's. */
int proc_store_oom_score_adj(struct process *p, const struct proc_key *key, const char *line)
{
	bool privileged = process_is_privileged(process_current());
	int value, err = parse(line, &value);

	(void)key;
	if (err)
		return err;
	if (privileged)
		__atomic_store_n(&p->oom_score_adj_min, (int16_t)value, __ATOMIC_RELAXED);
	else if (value < __atomic_load_n(&p->oom_score_adj_min, __ATOMIC_RELAXED))
		return -EACCES;
	__atomic_store_n(&p->oom_score_adj, (int16_t)value, __ATOMIC_RELAXED);
	return 0;
}
