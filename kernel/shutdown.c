// SPDX-License-Identifier: MIT
/*
 * Going down in order: processes first, as they may hold files and dirty mappings; then the file
 * systems, the last mounted first; then the machine, with pid 1's exit status.
 *
 * A process that does not die within the time limit (its I/O hangs) costs a message, not the
 * shutdown: mount_shutdown() leaves even a file system in use clean.
 */
#include <abi/wait.h>
#include <fs/mount.h>
#include <kernel/console.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/shutdown.h>

#define PATIENCE_NS (5 * NS_PER_SEC)

/* tree_lock held.  pid 1 stays, to be the parent of the others. */
static void kill_other(struct process *p, void *any)
{
	if (p == process_current() || p == init_process || p->state != PROCESS_ALIVE)
		return;
	process_kill(p, SIGKILL);
	*(bool *)any = true;
}

/* False: there are no others any more. */
static bool kill_others(void)
{
	bool any = false;

	spin_lock(&tree_lock);
	process_for_each(kill_other, &any);
	spin_unlock(&tree_lock);
	return any;
}

static void end_processes(void)
{
	uint64_t deadline = time_now_ns() + PATIENCE_NS;
	uint64_t pause = NS_PER_MS;

	while (kill_others()) {
		if (time_now_ns() >= deadline) {
			pr_warning("shutdown: some processes do not end");
			break;
		}
		(void)thread_sleep_until(time_now_ns() + pause, SLEEP_FOREVER);
	}
}

void machine_shutdown(int status, bool restart)
{
	static uint32_t under_way;

	while (__atomic_exchange_n(&under_way, 1, __ATOMIC_ACQ_REL))
		(void)thread_sleep_until(time_now_ns() + NS_PER_SEC, SLEEP_FOREVER);
	end_processes();
	if (mount_shutdown())
		pr_error("shutdown: not everything could be written");
	while (!console_idle())
		(void)thread_sleep_until(time_now_ns() + NS_PER_MS, SLEEP_FOREVER);
	if (restart)
		machine_restart();
	machine_power_off(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
