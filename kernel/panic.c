// SPDX-License-Identifier: MIT
/*
 * Panics and the end of the machine.
 *
 * A panic trusts nothing: it takes no lock, writes by polling, and the first hart to get here is
 * the only one that does. The message goes to the UART and to the log device.
 */
#include <arch/cpu.h>
#include <arch/firmware.h>
#include <arch/trap.h>
#include <drivers/devices.h>
#include <drivers/uart.h>
#include <kernel/boot.h>
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/format.h>
#include <stdarg.h>

#include "log.h"

#define BACKTRACE_FRAMES 24
#define MARKER           "\x1e[mapache:panic]\x1e\n" /* for tools/run: what follows is no output */
#define NOBODY           UINT32_MAX

void (*panic_describe)(vaddr_t addr);

static uint32_t panicking = NOBODY; /* [a] hart index */

/* Made by tools/check/ksyms from the first link. */
extern const uint32_t ksyms_count, ksyms_offsets[], ksyms_names[];
extern const char ksyms_strings[];
extern const uint64_t ksyms_base;

const char *symbol_find(vaddr_t pc, size_t *offset)
{
	uint32_t low = 0, high = ksyms_count;

	if (!high || pc < ksyms_base)
		return NULL;
	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		if (pc - ksyms_base >= ksyms_offsets[middle])
			low = middle;
		else
			high = middle;
	}
	*offset = pc - ksyms_base - ksyms_offsets[low];
	return &ksyms_strings[ksyms_names[low]];
}

static void write_now(const char *text, size_t bytes)
{
	uart_write_now(text, bytes);
	vconsole_write_now(text, bytes);
}

static void line_now(void *ctx, const char *text)
{
	size_t n = 0;

	(void)ctx;
	while (text[n])
		n++;
	write_now(text, n);
	write_now("\n", 1);
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	kvsnprintf(line, sizeof(line), format, args);
	va_end(args);
	line_now(NULL, line);
}

struct trace {
	unsigned depth;
	bool exact; /* the first is where it happened, not where a call returns to */
};

static void print_frame(void *ctx, vaddr_t pc)
{
	struct trace *trace = ctx;
	size_t offset = 0;
	/* a call that never returns may be its function's last instruction */
	const char *name = symbol_find(trace->exact && !trace->depth ? pc : pc - 1, &offset);
	char line[128];

	ksnprintf(line, sizeof(line), "  #%-2u %p %s+%#zx", trace->depth++, (void *)pc,
		name ? name : "?", offset);
	line_now(NULL, line);
}

bool panic_is_on(void)
{
	return __atomic_load_n(&panicking, __ATOMIC_RELAXED) != NOBODY;
}

_Noreturn void hart_stop(void)
{
	irq_disable();
	for (;;)
		cpu_wait();
}

/* The first hart goes on, others stop; the same hart again must have failed while it panicked. */
static void begin(void)
{
	uint32_t nobody = NOBODY, self = arch_cpu() ? arch_cpu()->index : 0;

	irq_disable();
	if (!__atomic_compare_exchange_n(
		    &panicking, &nobody, self, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		if (nobody != self)
			hart_stop();
		machine_power_off(PANIC_STATUS);
	}
	firmware_send_ipi(cpu_online_mask & ~(1UL << self));
	if (boot_has("marker"))
		uart_write_now(MARKER, sizeof(MARKER) - 1);
	log_flush_now(write_now);
}

static void announce(const char *format, va_list args)
{
	const struct thread *t = arch_cpu() ? thread_current() : NULL;
	char line[256];

	kvsnprintf(line, sizeof(line), format, args);
	say("panic: %s", line);
	say("on hart %u, thread %s", arch_cpu() ? arch_cpu()->index : 0, t ? t->name : "(none)");
}

_Noreturn void panic(const char *format, ...)
{
	struct trace trace = {0};
	va_list args;

	begin();
	va_start(args, format);
	announce(format, args);
	va_end(args);
	arch_backtrace_here(BACKTRACE_FRAMES, print_frame, &trace);
	machine_power_off(PANIC_STATUS);
}

_Noreturn void panic_trap(const struct trapframe *tf, const char *format, ...)
{
	struct trace trace = {.exact = true};
	va_list args;

	begin();
	va_start(args, format);
	announce(format, args);
	va_end(args);
	trapframe_print(tf, line_now, NULL);
	arch_backtrace(tf, BACKTRACE_FRAMES, print_frame, &trace);
	machine_power_off(PANIC_STATUS);
}

_Noreturn void machine_give_up(const char *why)
{
	begin();
	line_now(NULL, why);
	machine_power_off(PANIC_STATUS);
}

_Noreturn void trap_panic(struct trapframe *tf, const char *what, vaddr_t addr)
{
	if (panic_describe && addr < (vaddr_t)INT64_MAX)
		panic_describe(addr);
	panic_trap(tf, "%s in the kernel, address %p", what, (void *)addr);
}

#define DRAIN_NS NS_PER_SEC

/* Let the consoles finish: by their interrupts if these still work, then by polling. */
static void drain(void)
{
	uint64_t until = time_now_ns() + DRAIN_NS;

	if (!panic_is_on() && !arch_cpu()->irq_depth) {
		irq_enable();
		while ((!uart_idle() || !vconsole_idle()) && time_now_ns() < until)
			cpu_relax();
	}
	irq_disable();
	write_now("", 0);
}

_Noreturn void machine_power_off(int status)
{
	drain();
	finisher_exit(status);
	firmware_power_off();
	hart_stop();
}

_Noreturn void machine_restart(void)
{
	drain();
	finisher_reset();
	firmware_restart();
	hart_stop();
}
