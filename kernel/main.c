// SPDX-License-Identifier: MIT
/*
 * Start-up, in order.
 *
 *   boot stack   arch_boot_main()  device tree, memory, the final tables, kernel memory
 *   idle stack   boot_hart()       interrupts, console, clock; the other harts are let loose
 *   main thread  main_thread()     what may sleep: devices, file systems, the first process
 *
 * The boot hart then idles; main_thread() ends when the first process runs. Other harts come in at
 * arch_secondary_main() and idle at once.
 */
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/firmware.h>
#include <arch/layout.h>
#include <arch/pmap.h>
#include <arch/trap.h>
#include <drivers/devices.h>
#include <drivers/irqchip.h>
#include <drivers/uart.h>
#include <fs/mapfs.h>
#include <fs/vfs.h>
#include <kernel/boot.h>
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/random.h>
#include <kernel/time.h>

#include "thread/cpu_calls.h"
#include "log.h"
#include "machine.h"
#include "port/mm_host.h"
#include "test/selftest.h"
#include "thread/sched.h"

extern const char __image_start[], __image_end[];

static struct thread *new_idle(vaddr_t stack_top)
{
	struct thread *idle = thread_alloc("idle");

	if (!idle || !stack_top)
		panic("no memory for an idle thread");
	arch_thread_init(&idle->arch, stack_top, NULL, NULL);
	return idle;
}

#define CACHED_NAMES  16384 /* beyond those in use */
#define CACHED_VNODES 4096

static void start_file_systems(void)
{
	if (vfs_init(CACHED_NAMES, CACHED_VNODES))
		panic("no memory for the file systems");
	mapfs_register();
}

static void main_thread(void *unused)
{
	(void)unused;
	machine_probe_devices();
	pr_info("%zu of %zu frames free, %u harts", frames_free_count(), frames_total(), cpu_count);
#ifdef MAPACHE_DEBUG
	if (boot_has("selftest") || boot_value("selftest"))
		machine_power_off(selftest_run() ? 1 : 0);
	if (boot_value("plant"))
		selftest_plant(boot_value("plant"));
#endif
	mm_host_init();
	start_file_systems();
#ifdef MAPACHE_DEBUG
	faulty_device_init();
#endif
	process_init();
	process_start_init();
}

static void start_other_harts(void)
{
#ifdef MAPACHE_DEBUG
	arch_start_stray = boot_has("strayharts");
#endif
	for (unsigned i = 1; i < cpu_count; i++) {
		vaddr_t stack = kstack_alloc();

		cpus[i].rq.idle = new_idle(stack);
		cpus[i].arch.panic_stack = kstack_alloc();
		if (arch_cpu_start(&cpus[i].arch, stack))
			pr_warning("hart %lu does not start", cpus[i].arch.hart_id);
	}
}

static void init_hart(struct thread *idle)
{
	struct cpu *cpu = cpu_this();

	waitq_init(&cpu->fence_wait);
	sched_init_hart(idle);
	timer_init_hart();
	irqchip_init_hart(cpu->arch.index, machine_irq_context(cpu->arch.index));
}

static void boot_hart(void)
{
	cpus[0].arch.panic_stack = kstack_alloc();
	init_hart(cpus[0].rq.idle);
	machine_init_basics();
	if (boot_has("earlylog"))
		log_set_sink(uart_write);
	pr_info("Mapache on %u harts, %zu MiB", cpu_count, frames_total() >> (20 - PAGE_SHIFT));
	start_other_harts();
	if (thread_spawn("main", main_thread, NULL))
		panic("no memory for the main thread");
	sched_idle();
}

_Noreturn void arch_boot_main(uint64_t hart_id, paddr_t fdt)
{
	vaddr_t stack;

	cpus[0].arch.hart_id = hart_id;
	arch_cpu_init(&cpus[0].arch);
	machine_read_tree(phys_to_virt(fdt), fdt);
	frames_reserve(virt_to_phys(__image_start), virt_to_phys(__image_end));
	frames_init();
	machine_map_memory();
	pmap_setup();
	kmem_init();
	thread_init();
	stack = kstack_alloc();
	cpus[0].rq.idle = new_idle(stack);
	arch_run_on(stack, boot_hart);
}

_Noreturn void arch_secondary_main(struct arch_cpu *arch)
{
	struct cpu *cpu = (struct cpu *)arch;

	arch_cpu_init(arch);
	init_hart(cpu->rq.idle);
	sched_idle();
}

void trap_timer(bool user)
{
	timer_interrupt(user);
}

void trap_ipi(void)
{
	cpu_this()->ipis++;
	if (panic_is_on())
		hart_stop();
	cpu_calls_run();
	shootdown_run();
	sched_ipi();
}
